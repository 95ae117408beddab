// What every transport has to hold.
import assert from "node:assert/strict";
import { getEventListeners, once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import { after, describe, test } from "node:test";
import {
  type HttpRequest,
  type Send,
  textOf,
  unexpectedStatus,
} from "../../src/superoffice/http.ts";

const MIB = 1024 * 1024;
const servers: Server[] = [];

/** A server on loopback; gives its address. */
export async function serve(listener: RequestListener): Promise<string> {
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

/** Tests a transport against real servers on loopback. */
export function testTransport(name: string, send: Send): void {
  after(() => Promise.all(servers.filter(({ listening }) => listening).map(close)));
  const ask = (url: string, more: Partial<HttpRequest> = {}) =>
    send({ purpose: "the test", url, ...more });
  const saying = (url: string, words: string) =>
    new RegExp(`^${new URL(url).host.replaceAll(".", "\\.")} .*${words}`);

  describe(name, () => {
    test("sends a GET that asks for JSON, with the headers given", async () => {
      let seen: unknown;
      const url = await serve(({ method, url, headers }, response) => {
        seen = [method, url, headers.accept, headers.authorization, headers["content-type"]];
        response.end("{}");
      });
      const headers = { "Authorization": "SOTicket 7T:x" };
      await send({ purpose: "the test", url: `${url}/a?b=c`, headers });
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
      await send({ purpose: "the test", method: "POST", url, headers, body });
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
      const askFor = (maxBytes: number) => send({ purpose: "the test", url, maxBytes });
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

    test("ends a request under way when its signal says so, with that one's reason", async () => {
      const enough = new AbortController();
      const url = await serve(() => enough.abort(new Error("enough")));
      await assert.rejects(ask(url, { signal: enough.signal }), { message: "enough" });
    });

    test("ends the reading of an answer when its signal says so", async () => {
      const enough = new AbortController();
      const url = await serve((_, response) => {
        response.write("{", () => enough.abort(new Error("enough")));
      });
      await assert.rejects(ask(url, { signal: enough.signal }), { message: "enough" });
    });

    test("sends nothing when its signal has said so already", async () => {
      let requests = 0;
      const url = await serve((_, response) => {
        requests++;
        response.end("{}");
      });
      const signal = AbortSignal.abort(new Error("enough"));
      await assert.rejects(ask(url, { signal }), { message: "enough" });
      assert.equal(requests, 0);
    });

    test("leaves nothing behind on its signal, however it ends", async () => {
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
        message: /^localhost:\d+ could not be reached for the test: .*([Rr]efused|ECONNREFUSED)/,
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
      const enough = new AbortController();
      const asked = ask(url, { signal: enough.signal });
      enough.abort(new Error("enough"));
      await assert.rejects(asked, { message: "enough" });
      sockets.forEach((socket) => socket.destroy());
      deaf.close();
    });
  });
}
