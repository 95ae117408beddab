// Sends notifications as SuperOffice does: a login host in front of the stand-in, which knows one key more.
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { SignJWT } from "jose";
import { createSigningKey, type SigningKey } from "../../fixtures/jwts.ts";
import type { StandIn } from "../../fixtures/standIn.ts";
import { endWithFile } from "./leftRunning.ts";

export interface Notifier {
  /** For SUPEROFFICE_LOGIN_URL: the stand-in, with the notifier's key among its own. */
  loginUrl: string;
  key: SigningKey;
  /** A JWT that proves a notification; with other claims where given, undefined leaves one out. */
  jwt(claims?: Record<string, unknown>, by?: SigningKey): Promise<string>;
  /** Posts a notification to a port of this machine; gives the status. */
  notify(
    port: number,
    contextIdentifier: string,
    changeType: number | string,
    token?: string,
  ): Promise<number>;
  close(): Promise<void>;
}

export async function startNotifier(
  standIn: Pick<StandIn, "loginUrl">,
): Promise<Notifier> {
  const key = await createSigningKey();
  const server = createServer(async (request, response) => {
    const answer = await fetch(`${standIn.loginUrl}${request.url}`, {
      method: request.method!,
      headers: { "content-type": request.headers["content-type"] ?? "text/plain" },
      ...(request.method === "POST" && { body: await textOf(request) }),
    });
    const isKeys = /\/jwks$/.test(request.url!);
    const text = await answer.text();
    response.writeHead(answer.status, { "content-type": "application/json" });
    response.end(
      isKeys ? JSON.stringify({ keys: [...JSON.parse(text).keys, key.publicJwk] }) : text,
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const loginUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  async function jwt(claims: Record<string, unknown> = {}, by = key): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    return await new SignJWT({ iss: loginUrl, nbf: now, exp: now + 300, ...claims })
      .setProtectedHeader({ alg: "RS256", kid: by.kid }).sign(by.privateKey);
  }

  return {
    loginUrl,
    key,
    jwt,
    async notify(port, ContextIdentifier, ChangeType, token) {
      const body = JSON.stringify({
        ChangeType,
        ContextIdentifier,
        VersionName: "Release_10.3.8_2024.08.30-01",
        FileVersion: "10.3.8.2024",
        Token: token ?? await jwt(),
        ...(ChangeType === 5 && { PublicEndpoint: "evil.example" }),
      });
      const answer = await fetch(`http://127.0.0.1:${port}/NotifyCustomerStateChange`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body,
      });
      await answer.text();
      return answer.status;
    },
    close: endWithFile(() =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      })
    ),
  };
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const part of request.setEncoding("utf8")) text += part;
  return text;
}
