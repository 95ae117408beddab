import assert from "node:assert/strict";
import { getEventListeners, once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import { after, describe, test } from "node:test";
import { z } from "zod";
import { UnexpectedStatusError } from "../src/errors.ts";
import { type HttpOptions, readJson, textOf, unexpectedStatus } from "../src/http.ts";
import { createHttpClient } from "../src/httpClient.ts";

const MIB = 1024 * 1024;
const servers: Server[] = [];

/** A server on loopback; gives its address. */
async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function close(server: Server): Promise<void> {
  const closed = once(server, "close");
  server.close();
  server.closeAllConnections();
  await closed;
}

after(() => Promise.all(servers.filter(({ listening }) => listening).map(close)));

const never = new AbortController().signal;
const send = createHttpClient();
const options = (given: Partial<HttpOptions> = {}) => ({
  timeoutMs: 30_000,
  signal: never,
  ...given,
});
const ask = (url: string, given?: Partial<HttpOptions>) =>
  send({ purpose: "the test", url }, options(given));
const saying = (url: string, words: string) =>
  new RegExp(`^${new URL(url).host.replaceAll(".", "\\.")} .*${words}`);

describe("the HTTP client", () => {
  test("sends a GET that asks for JSON, with the headers given", async () => {
    let seen: unknown;
    const url = await serve(({ method, url, headers }, response) => {
      seen = [method, url, headers.accept, headers.authorization, headers["content-type"]];
      response.end("{}");
    });
    const headers = { "Authorization": "SOTicket 7T:x" };
    await send({ purpose: "the test", url: `${url}/a?b=c`, headers }, options());
    assert.deepEqual(seen, ["GET", "/a?b=c", "application/json", "SOTicket 7T:x", undefined]);
  });

  test("sends a body as it is, in UTF-8, with the headers given", async () => {
    let seen: unknown;
    const url = await serve(async (request, response) => {
      let text = "";
      for await (const chunk of request.setEncoding("utf8")) text += chunk;
      seen = [request.method, request.headers["content-type"], text];
      response.end("{}");
    });
    const body = JSON.stringify({ SignedSystemToken: "Ærlig App-x.202601020304.c2ln" });
    const headers = { "Content-Type": "application/json" };
    await send({ purpose: "the test", method: "POST", url, headers, body }, options());
    assert.deepEqual(seen, ["POST", "application/json", body]);
  });

  test("gives an answer whatever its status, with host, purpose, headers and bytes", async () => {
    const url = await serve((_, response) => {
      response.writeHead(503, { "Retry-After": "7" }).end("größer");
    });
    const { headers, bytes, ...answer } = await ask(url);
    assert.deepEqual(answer, { purpose: "the test", host: new URL(url).host, status: 503 });
    assert.deepEqual([...bytes], [...new TextEncoder().encode("größer")]);
    assert.equal(textOf({ bytes }), "größer");
    assert.equal(headers["retry-after"], "7");
  });

  test("gives an empty text for an answer without a body", async () => {
    const url = await serve((_, response) => void response.writeHead(204).end());
    assert.equal(textOf(await ask(url)), "");
  });

  test("puts letters together that arrive in pieces", async () => {
    const bytes = Buffer.from("Bjørn");
    const url = await serve((_, response) => {
      response.write(bytes.subarray(0, 3), () => response.end(bytes.subarray(3)));
    });
    assert.equal(textOf(await ask(url)), "Bjørn");
  });

  test("does not follow a redirect", async () => {
    const paths: (string | undefined)[] = [];
    const url = await serve(({ url }, response) => {
      paths.push(url);
      response.writeHead(302, { "Location": "/elsewhere" }).end();
    });
    const answer = await ask(`${url}/here`);
    assert.equal(answer.status, 302);
    assert.deepEqual(paths, ["/here"]);
    assert.match(unexpectedStatus(answer).remedy, /Redirects are not followed/);
  });

  test("takes an answer of 1 MiB", async () => {
    const url = await serve((_, response) => void response.end("x".repeat(MIB)));
    assert.equal(textOf(await ask(url)).length, MIB);
  });

  test("refuses an answer of one byte more", async () => {
    const url = await serve((_, response) => {
      response.on("error", () => {});
      response.end("x".repeat(MIB + 1));
    });
    await assert.rejects(ask(url), {
      code: "ANSWER_UNREADABLE",
      message: saying(url, "the test with more than 1048576 bytes$"),
    });
  });

  test("takes and refuses an answer by the length that the request allows", async () => {
    const url = await serve((_, response) => void response.end("größer"));
    const askFor = (maxBytes: number) => send({ purpose: "the test", url, maxBytes }, options());
    assert.equal(textOf(await askFor(8)), "größer");
    await assert.rejects(askFor(7), {
      code: "ANSWER_UNREADABLE",
      message: saying(url, "the test with more than 7 bytes$"),
    });
  });

  test("hangs up on an answer without end", async () => {
    let hungUp: Promise<unknown> | undefined;
    const url = await serve((_, response) => {
      hungUp = once(response, "close");
      response.on("error", () => {});
      const write = () => {
        if (!response.destroyed) response.write("x".repeat(MIB / 4), () => setImmediate(write));
      };
      write();
    });
    await assert.rejects(ask(url), { code: "ANSWER_UNREADABLE" });
    await hungUp;
  });

  test("gives up when nothing comes within the time", async () => {
    const url = await serve(() => {});
    await assert.rejects(ask(url, { timeoutMs: 50 }), {
      code: "REQUEST_TIMEOUT",
      message: saying(url, "the test within 0\\.05 s$"),
    });
  });

  test("gives up when the answer begins and does not end within the time", async () => {
    const url = await serve((_, response) => void response.write("{"));
    await assert.rejects(ask(url, { timeoutMs: 200 }), {
      code: "REQUEST_TIMEOUT",
      message: saying(url, "the test within 0\\.2 s$"),
    });
  });

  test("ends a request under way when the console stops", async () => {
    const stop = new AbortController();
    const url = await serve(() => stop.abort());
    await assert.rejects(ask(url, { signal: stop.signal }), {
      code: "STOPPED",
      message: "Stopped during the test",
    });
  });

  test("ends the reading of an answer when the console stops", async () => {
    const stop = new AbortController();
    const url = await serve((_, response) => void response.write("{", () => stop.abort()));
    await assert.rejects(ask(url, { signal: stop.signal }), { code: "STOPPED" });
  });

  test("sends nothing when the console has stopped already", async () => {
    let requests = 0;
    const url = await serve((_, response) => {
      requests++;
      response.end("{}");
    });
    await assert.rejects(ask(url, { signal: AbortSignal.abort() }), { code: "STOPPED" });
    assert.equal(requests, 0);
  });

  test("leaves nothing behind on the stop signal, however it ends", async () => {
    const { signal } = new AbortController();
    const good = await serve((_, response) => void response.end("{}"));
    const bad = await serve((request) => void request.socket.destroy());
    await ask(good, { signal });
    await assert.rejects(ask(bad, { signal }));
    assert.equal(getEventListeners(signal, "abort").length, 0);
  });

  const failures: Record<string, RequestListener> = {
    "resets the connection": (request) => void request.socket.destroy(),
    "cuts its answer": (request, response) => {
      response.writeHead(200, { "Content-Length": 1000 });
      response.write("{", () => request.socket.destroy());
    },
  };
  for (const [what, listener] of Object.entries(failures)) {
    test(`names host and purpose when the host ${what}`, async () => {
      const url = await serve(listener);
      await assert.rejects(ask(url), {
        code: "NETWORK_FAILED",
        message: saying(url, "could not be reached for the test: ."),
      });
    });
  }

  test("names host, purpose and reason when nothing listens there", async () => {
    const url = await serve(() => {});
    await close(servers.at(-1)!);
    await assert.rejects(ask(url), {
      code: "NETWORK_FAILED",
      message: saying(url, "could not be reached for the test: .*(refused|ECONNREFUSED)"),
    });
  });

  test("names host and purpose when the host's name is not known", async () => {
    const url = "http://nonexistent.invalid/";
    await assert.rejects(ask(url), {
      code: "NETWORK_FAILED",
      message: saying(url, "could not be reached for the test: ."),
    });
  });

  test("names the reason when none of a host's addresses answers", async () => {
    const url = await serve(() => {});
    await close(servers.at(-1)!);
    await assert.rejects(ask(url.replace("127.0.0.1", "localhost")), {
      code: "NETWORK_FAILED",
      message: /^localhost:\d+ could not be reached for the test: .*ECONNREFUSED/,
    });
  });

  test("gives up when the connection does not come about within the time", async () => {
    // A host that takes the connection and never begins to speak TLS.
    const sockets: Socket[] = [];
    const deaf = createTcpServer((socket) => sockets.push(socket.on("error", () => {})));
    deaf.listen(0, "127.0.0.1");
    await once(deaf, "listening");
    const url = `https://127.0.0.1:${(deaf.address() as AddressInfo).port}`;
    await assert.rejects(ask(url, { timeoutMs: 200 }), {
      code: "REQUEST_TIMEOUT",
      message: saying(url, "the test within 0\\.2 s$"),
    });
    const stop = new AbortController();
    const asked = ask(url, { signal: stop.signal });
    stop.abort();
    await assert.rejects(asked, { code: "STOPPED" });
    sockets.forEach((socket) => socket.destroy());
    deaf.close();
  });
});

describe("readJson", () => {
  const schema = z.object({ State: z.string(), Deep: z.object({ Count: z.number() }) });
  const read = (text: string) =>
    readJson(
      {
        purpose: "the test",
        host: "host",
        status: 200,
        bytes: new TextEncoder().encode(text),
      },
      schema,
    );

  test("gives what the schema describes", () => {
    const value = { State: "Running", Deep: { Count: 1 } };
    assert.deepEqual(read(JSON.stringify({ ...value, more: true })), value);
  });

  test("shows how a page that is not JSON begins, without its markup", () => {
    assert.throws(() => read("<html>\n<h1>Scheduled  <b>maintenance</b></h1>\n</html>"), {
      code: "ANSWER_UNREADABLE",
      message: "host answered the test with status 200 and no JSON («Scheduled maintenance»)",
    });
  });

  test("shows the first words of such a page, and no part of a longer word", () => {
    const page = `two words ${"x".repeat(500)}`;
    assert.throws(() => read(page), { message: /and no JSON \(«two words …»\)$/ });
  });

  test("is not held up by a page that is full of markup", () => {
    assert.throws(() => read("<".repeat(MIB)), { message: /and no JSON/ });
  });

  test("says so when there is nothing at all", () => {
    assert.throws(() => read(""), {
      message: "host answered the test with status 200 and no JSON",
    });
  });

  test("names every field that is not as expected, and shows no values", () => {
    assert.throws(() => read('{"State":7,"Deep":{"Count":"a secret"}}'), {
      code: "ANSWER_UNREADABLE",
      message: /^host answered the test .*State: (?!.*a secret).*Deep\.Count: (?!.*a secret)/,
    });
  });
});

describe("unexpectedStatus", () => {
  for (
    const [status, code, remedy] of [
      [301, "REDIRECT_REFUSED", /Redirects are not followed/],
      [399, "REDIRECT_REFUSED", /Redirects are not followed/],
      [401, "TICKET_REFUSED", /SUPEROFFICE_CLIENT_SECRET/],
      [403, "FORBIDDEN", /rights.* in this customer's SuperOffice/],
      [404, "NOT_FOUND", /context_identifier.* SUPEROFFICE_ENVIRONMENT/],
      [408, "UNEXPECTED_STATUS", /Look the status up/],
      [418, "UNEXPECTED_STATUS", /Look the status up.*SUPEROFFICE_LOGIN_URL/],
      [421, "TENANT_MOVED", /moved to another host/],
      [429, "SERVICE_BUSY", /Often passing/],
      [500, "SERVICE_BUSY", /Often passing/],
      [503, "SERVICE_BUSY", /status\.superoffice\.com/],
    ] as const
  ) {
    test(`is ${code} with a remedy for ${status}`, () => {
      const error = unexpectedStatus({
        purpose: "the test",
        host: "host",
        status,
        headers: {},
        bytes: new TextEncoder().encode("<p>Out of order</p>"),
      });
      assert.ok(error instanceof UnexpectedStatusError);
      assert.equal(error.code, code);
      assert.equal(error.status, status);
      assert.equal(error.retryAfterMs, 0);
      assert.equal(error.message, `host answered the test with status ${status} («Out of order»)`);
      assert.match(error.remedy, remedy);
    });
  }
});
