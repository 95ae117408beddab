// What is asked of SuperOffice for an approval, and how its answers are judged. The id_token is judged elsewhere.
import * as oauth from "oauth4webapi";
import { z } from "zod";
import type { Secrets } from "../console/wanted.ts";
import {
  ApprovalRefusedError,
  ClientRefusedError,
  CodeRefusedError,
  UnreadableAnswerError,
  UntrustedHostError,
} from "../superoffice/errors.ts";
import {
  cutBetweenWords,
  type HttpAnswer,
  readJson,
  type Send,
  unexpectedStatus,
} from "../superoffice/http.ts";
import type { Application } from "../superoffice/tenant.ts";

/** The login host, as far as an approval has to know it. */
export type LoginHost = oauth.AuthorizationServer;

/** The application that asks to be approved. */
export interface Client extends Application {
  clientId: string;
  /** Where the browser brings the answer; a registered one. */
  redirectUrl: string;
}

/** A request for approval. */
export interface Asked {
  /** What an administrator opens. */
  address: string;
  state: string;
  nonce: string;
  verifier: string;
}

/** Both are plain on this machine alone: settings take no other login host without https. */
const OVER_HTTP = { [oauth.allowInsecureRequests]: true } as const;

/**
 * Reads what the login host says of itself. Throws `UntrustedHostError` where it sends elsewhere, an `UnreadableAnswerError`,
 * an `UnexpectedStatusError`, and what {@link Send} throws.
 *
 * @see "Authentication API", https://docs.superoffice.com/en/authentication/online/api.html
 */
export async function readLoginHost(loginUrl: string, send: Send): Promise<LoginHost> {
  const purpose = "reading its OpenID Connect metadata";
  const { response, answer } = await request(
    purpose,
    send,
    (customFetch) =>
      oauth.discoveryRequest(new URL(`${loginUrl}/login`), {
        ...OVER_HTTP,
        [oauth.customFetch]: customFetch,
      }),
  );
  if (answer.status !== 200) throw unexpectedStatus(answer);
  const found = await oauth.processDiscoveryResponse(new URL(loginUrl), response).catch((cause) => {
    throw new UnreadableAnswerError(
      `${answer.host} does not say of itself what SuperOffice does: ${cause.message}`,
      { cause },
    );
  });
  for (const name of ["authorization_endpoint", "token_endpoint"] as const) {
    const address = found[name] ?? "";
    if (!URL.canParse(address) || new URL(address).origin !== loginUrl) {
      throw new UntrustedHostError(
        `${answer.host} names ${
          cutBetweenWords(address, 300)
        } as its ${name}, which is not there, so nothing was sent`,
      );
    }
  }
  return found;
}

/**
 * Makes a request for approval, with a state, a nonce and PKCE of its own.
 *
 * @param contextIdentifier the only tenant that is to approve; undefined leaves the choice to who opens it
 *
 * @see "Authorization Code flow", https://docs.superoffice.com/en/authentication/online/sign-in-user/auth-code-flow.html
 */
export async function askForApproval(
  loginHost: LoginHost,
  { clientId, redirectUrl }: Pick<Client, "clientId" | "redirectUrl">,
  contextIdentifier?: string,
): Promise<Asked> {
  const verifier = oauth.generateRandomCodeVerifier();
  const asked = {
    state: oauth.generateRandomState(),
    nonce: oauth.generateRandomNonce(),
    verifier,
  };
  const address = new URL(loginHost.authorization_endpoint!);
  const query = {
    response_type: "code",
    scope: "openid",
    client_id: clientId,
    redirect_uri: redirectUrl,
    state: asked.state,
    nonce: asked.nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    ...(contextIdentifier !== undefined && { acr_values: `tenant:${contextIdentifier}` }),
  };
  for (const [name, value] of Object.entries(query)) address.searchParams.set(name, value);
  return { ...asked, address: address.href };
}

/** What else came as a code could be guessed, or be in a sentence, and is none. */
const CODE = /^\S{16,}$/;

const tokensSchema = z.looseObject({ id_token: z.string().max(100_000) });

/**
 * Judges what came back with the browser, and redeems its code; gives the id_token, a secret that is not to be trusted before
 * it was validated. What else comes along is not kept.
 *
 * Throws `ApprovalRefusedError`, `CodeRefusedError`, `ClientRefusedError`, an `UnreadableAnswerError`, an
 * `UnexpectedStatusError`, and what {@link Send} throws.
 *
 * @param secrets learns what no error may show
 *
 * @see {@link askForApproval}
 */
export async function redeem(
  answered: URLSearchParams,
  { state, verifier }: Pick<Asked, "state" | "verifier">,
  loginHost: LoginHost,
  { clientId, clientSecret, redirectUrl }: Client,
  send: Send,
  secrets: Secrets,
): Promise<string> {
  secrets.add(verifier);
  const client = { client_id: clientId };
  const judged = judge(answered, state, loginHost, client);
  // Whoever opens an address may send anything as a code: what every line says is to be no secret from then on.
  const code = judged.get("code") ?? "";
  if (CODE.test(code)) secrets.add(code);
  const { response, answer: whole } = await request(
    "redeeming the code",
    send,
    (customFetch) =>
      oauth.authorizationCodeGrantRequest(
        loginHost,
        client,
        oauth.ClientSecretPost(clientSecret),
        judged,
        redirectUrl,
        verifier,
        { ...OVER_HTTP, [oauth.customFetch]: customFetch },
      ),
  );
  // What holds tokens, or a part of them, is quoted nowhere.
  const answer = { ...whole, bytes: new Uint8Array() };
  if (answer.status !== 200) throw await refusalOf(response, answer, loginHost, client);
  const { id_token, ...others } = readTokens(whole);
  secrets.add(id_token);
  // What is not of OAuth's form is not looked at either.
  const flat = Object.entries(others).filter(([, value]) => typeof value !== "object");
  await oauth.processAuthorizationCodeResponse(
    loginHost,
    client,
    new Response(JSON.stringify(Object.fromEntries(flat)), {
      headers: { "content-type": "application/json" },
    }),
  ).catch((cause) => {
    throw new UnreadableAnswerError(
      `${answer.host} answered ${answer.purpose} with JSON of another form (${cause.message})`,
    );
  });
  return id_token;
}

function readTokens(answer: HttpAnswer): z.infer<typeof tokensSchema> {
  try {
    return readJson(answer, tokensSchema);
  } catch {
    // Its message quotes the start of the answer.
    throw new UnreadableAnswerError(
      `${answer.host} answered ${answer.purpose} with status ${answer.status} and no JSON that holds an id_token`,
    );
  }
}

function judge(
  answered: URLSearchParams,
  state: string,
  loginHost: LoginHost,
  client: oauth.Client,
): URLSearchParams {
  try {
    const judged = oauth.validateAuthResponse(loginHost, client, answered, state);
    const codes = judged.getAll("code");
    if (codes.length === 1 && codes[0] !== "") return judged;
  } catch (cause) {
    if (cause instanceof oauth.AuthorizationResponseError) {
      const { error, error_description: description } = cause;
      throw new ApprovalRefusedError(
        `SuperOffice answered the request for approval with ${inWords(error, description)}`,
        error,
      );
    }
    throw new ApprovalRefusedError(
      `The answer to the request for approval cannot be used: ${(cause as Error).message}`,
      "",
    );
  }
  throw new ApprovalRefusedError(
    "The answer to the request for approval holds no code, or more than one",
    "",
  );
}

/** The error for an answer without tokens. */
async function refusalOf(
  response: Response,
  answer: HttpAnswer,
  loginHost: LoginHost,
  client: oauth.Client,
): Promise<Error> {
  const error = await oauth.processAuthorizationCodeResponse(loginHost, client, response)
    .then(() => undefined, (error: unknown) => error);
  const told = error instanceof oauth.ResponseBodyError ? error : undefined;
  const how = told === undefined
    ? `status ${answer.status}`
    : inWords(told.error, told.error_description);
  const said = `${answer.host} answered ${answer.purpose} with ${how}`;
  if (answer.status === 401 || /^(invalid|unauthorized)_client$/.test(told?.error ?? "")) {
    return new ClientRefusedError(said);
  }
  return told === undefined ? unexpectedStatus(answer) : new CodeRefusedError(said);
}

function inWords(error: string, description: unknown): string {
  const more = typeof description === "string" && description !== "" ? `: ${description}` : "";
  return cutBetweenWords(`«${error}»${more}`, 300);
}

/** Has the library make its request by `send`. */
async function request(
  purpose: string,
  send: Send,
  ask: (
    customFetch: (url: string, options: FetchOptions) => Promise<Response>,
  ) => Promise<Response>,
): Promise<{ response: Response; answer: HttpAnswer }> {
  let answer: HttpAnswer | undefined;
  const response = await ask(async (url, { method, headers, body }) => {
    answer = await send({
      purpose,
      url,
      method,
      headers,
      body: body?.toString(),
      onceOnly: method !== "GET",
    });
    return responseOf(answer);
  });
  return { response, answer: answer! };
}

interface FetchOptions {
  method: string;
  headers: Record<string, string>;
  body?: { toString(): string } | null | undefined;
}

function responseOf({ status, headers, bytes }: HttpAnswer): Response {
  const kept = ["content-type", "www-authenticate"].flatMap((name) =>
    typeof headers[name] === "string" ? [[name, headers[name]] as [string, string]] : []
  );
  const isBodiless = [204, 205, 304].includes(status);
  return new Response(isBodiless ? null : new Uint8Array(bytes), { status, headers: kept });
}
