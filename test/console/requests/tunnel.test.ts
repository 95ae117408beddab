import assert from "node:assert/strict";
import { type AddressInfo, createServer } from "node:net";
import { describe, test } from "node:test";
import { createHttpClient } from "../../../src/console/requests/httpClient.ts";
import { repeated } from "../../../src/console/requests/repeated.ts";
import { createAuthority } from "../../support/certificates.ts";
import { startConnectProxy } from "../../support/connectProxy.ts";

const never = new AbortController().signal;
const URL_BEHIND = "http://host.example/path";
const credentials = { username: "me", password: "hunter2-proxy" };

/** Sends through a proxy, for a second at most. */
function createSend(host: string, protocol = "http:") {
  const proxy = { origin: `${protocol}//${host}`, host, credentials };
  return createHttpClient(never, 1000, { https: proxy, http: proxy, direct: [] });
}

const ask = (host: string, protocol?: string) =>
  createSend(host, protocol)({ purpose: "the test", url: URL_BEHIND });

/** A server that hangs up on what it hears. */
async function startRude(): Promise<{ port: number; close(): void }> {
  const server = createServer((socket) => void socket.once("data", () => socket.destroy()));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: (server.address() as AddressInfo).port, close: () => server.close() };
}

describe("a proxy that gives no connection is named, with what to do:", () => {
  const refusals: [number, RegExp, RegExp][] = [
    [407, /status 407$/, /^It wants a user and a password/],
    [
      403,
      /status 403$/,
      /allow connections \(CONNECT\) to superoffice\.com and every host below it/,
    ],
    [404, /status 404$/, /ask whoever runs the proxy/],
    [502, /status 502$/, /ask whoever runs the proxy/],
  ];
  for (const [status, message, remedy] of refusals) {
    test(`status ${status}`, async () => {
      const proxy = await startConnectProxy({}, { refusal: status });
      const error = await ask(proxy.host).catch((error) => error);
      assert.equal(error.code, "PROXY_FAILED");
      assert.ok(
        error.message.startsWith(`The proxy ${proxy.host} gave no connection to host.example:80: `),
        error.message,
      );
      assert.match(error.message, message);
      assert.match(error.remedy, remedy);
      assert.deepEqual(proxy.credentials, ["me:hunter2-proxy"]);
      await proxy.close();
    });
  }

  test("nobody is there", async () => {
    const proxy = await startConnectProxy({});
    await proxy.close();
    await assert.rejects(ask(proxy.host), {
      code: "PROXY_FAILED",
      message: new RegExp(
        `^The proxy ${proxy.host} could not be reached for .* host\\.example:80: .`,
      ),
      remedy: /address, that it runs/,
    });
  });

  test("it hangs up", async () => {
    const { port, close } = await startRude();
    await assert.rejects(ask(`127.0.0.1:${port}`), { code: "PROXY_FAILED" });
    close();
  });

  test("it says nothing, for as long as the request may take", async () => {
    const proxy = await startConnectProxy({}, { refusal: "silence" });
    await assert.rejects(ask(proxy.host), {
      code: "PROXY_FAILED",
      message:
        `Through the proxy ${proxy.host} no connection to host.example came about for the test within 1 s`,
    });
    await proxy.close();
  });

  test("nobody trusts its certificate", async () => {
    const certificate = createAuthority("A stranger").certify("localhost");
    const proxy = await startConnectProxy({}, { certificate });
    const host = proxy.host.replace("127.0.0.1", "localhost");
    await assert.rejects(ask(host, "https:"), {
      code: "PROXY_FAILED",
      certificateFault: "untrusted",
      message: new RegExp(`^The proxy ${host} could not be reached`),
    });
    assert.deepEqual(proxy.places, []);
    await proxy.close();
  });
});

for (const [status, times] of [[407, 1], [502, 4]] as const) {
  test(`after status ${status} of a proxy it is asked ${times} times in all`, async () => {
    const proxy = await startConnectProxy({}, { refusal: status });
    const send = repeated(
      createSend(proxy.host),
      60_000,
      never,
      () => performance.now(),
      () => Promise.resolve(),
    );
    await assert.rejects(send({ purpose: "the test", url: URL_BEHIND }), { code: "PROXY_FAILED" });
    assert.equal(proxy.places.length, times);
    await proxy.close();
  });
}

test("trouble behind a proxy is told of the host, and the proxy is named", async () => {
  const { port, close } = await startRude();
  const proxy = await startConnectProxy({ "host.example:80": port });
  await assert.rejects(ask(proxy.host), {
    code: "NETWORK_FAILED",
    message: new RegExp(
      `^host\\.example \\(through the proxy ${proxy.host}\\) could not be reached`,
    ),
  });
  await proxy.close();
  close();
});
