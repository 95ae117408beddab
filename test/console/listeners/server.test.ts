import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, test } from "node:test";
import { ListenError } from "../../../src/console/errors.ts";
import { openServer, readBody, type Route, shown } from "../../../src/console/listeners/server.ts";
import { freePort } from "../../support/notifier.ts";

const HELLO: Route = {
  path: "/hello",
  methods: ["GET", "HEAD"],
  answer: () => ({ status: 200, text: "Hello" }),
};
const ECHO: Route = {
  path: "/echo",
  methods: ["POST"],
  answer: async (request) => ({ status: 200, text: `${await readBody(request, 10)}` }),
};

async function open(routes = [HELLO, ECHO]) {
  const port = await freePort();
  const server = await openServer({ host: "127.0.0.1", port }, routes);
  const url = `http://127.0.0.1:${port}`;
  return {
    port,
    close: server.close,
    async ask(path: string, init: RequestInit = {}) {
      const answer = await fetch(`${url}${path}`, init);
      const { status, headers } = answer;
      return { status, headers, text: await answer.text() };
    },
  };
}

/** Sends text as it is; gives what was answered until the connection is closed. */
async function send(port: number, text: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  let answer = "";
  socket.on("data", (bytes) => answer += bytes).on("error", () => {});
  socket.write(text);
  await once(socket, "close");
  return answer;
}

describe("the small server", () => {
  test("answers what is there, whatever the letter case, and 404 elsewhere", async () => {
    const { ask, close } = await open();
    for (const path of ["/hello", "/HELLO", "/hello/", "/hello?who=me"]) {
      assert.deepEqual((await ask(path)).text, "Hello\n", path);
    }
    for (const path of ["/", "/hello/you", "/hell", "//hello", "/%68ello"]) {
      assert.equal((await ask(path)).status, 404, path);
    }
    await close();
  });

  test("says which methods there are", async () => {
    const { ask, close } = await open();
    const { status, headers } = await ask("/hello", { method: "DELETE" });
    assert.equal(status, 405);
    assert.equal(headers.get("allow"), "GET, HEAD");
    assert.deepEqual((await ask("/hello", { method: "HEAD" })).text, "");
    await close();
  });

  test("reads a body to its limit", async () => {
    const { ask, close } = await open();
    const post = async (body: string) => (await ask("/echo", { method: "POST", body })).text;
    assert.equal(await post("0123456789"), "0123456789\n");
    assert.equal(await post("0123456789a"), "undefined\n");
    await close();
  });

  test("reads a body to its limit that does not say how long it is", async () => {
    const { port, close } = await open();
    const chunks = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" +
      "8\r\n01234567\r\n8\r\n89abcdef\r\n0\r\n\r\n";
    assert.match(await send(port, chunks), /^HTTP\/1\.1 200 [^]*undefined/);
    await close();
  });

  test("hangs up on what is no HTTP, and on very long headers", async () => {
    const { port, ask, close } = await open();
    assert.doesNotMatch(await send(port, "hello\r\n\r\n"), / 200 /);
    const long = `GET /hello HTTP/1.1\r\nHost: x\r\nX: ${"x".repeat(40_000)}\r\n\r\n`;
    assert.doesNotMatch(await send(port, long), / 200 /);
    assert.equal((await ask("/hello")).status, 200);
    await close();
  });

  test("cuts off who says nothing, or not all", { timeout: 30_000 }, async () => {
    const { port, close } = await open();
    const slow = [
      "",
      "GET /hello HTTP/1.1\r\n",
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n01",
    ];
    // It is the closing that is waited for.
    for (const answer of await Promise.all(slow.map((text) => send(port, text)))) {
      assert.doesNotMatch(answer, / 200 /);
    }
    await close();
  });

  test("takes no more than a hundred at once, and others when they are gone", async () => {
    const { port, ask, close } = await open();
    const idle = Array.from({ length: 100 }, () => connect(port, "127.0.0.1"));
    await Promise.all(idle.map((socket) => once(socket, "connect")));
    // What is beyond them is hung up on.
    await send(port, "");
    for (const socket of idle) socket.destroy();
    await Promise.all(idle.map((socket) => once(socket, "close")));
    let status = 0;
    while (status !== 200) status = await ask("/hello").then(({ status }) => status, () => 0);
    await close();
  });

  test("answers who was heard when it closes", async () => {
    let answerNow = () => {};
    const asked = new Promise<void>((resolve) => {
      HELLO.answer = () => {
        resolve();
        return new Promise((answer) => answerNow = () => answer({ status: 200, text: "Late" }));
      };
    });
    const { ask, close } = await open([HELLO]);
    const answer = ask("/hello");
    await asked;
    const closed = close();
    answerNow();
    assert.equal((await answer).text, "Late\n");
    await closed;
    await assert.rejects(ask("/hello"));
  });

  test("says where it cannot listen, and why", async () => {
    const { port, close } = await open();
    const failure = await openServer({ host: "127.0.0.1", port }, []).catch((error) => error);
    assert.ok(failure instanceof ListenError);
    assert.match(failure.message, /at 127\.0\.0\.1:\d+: something else listens there already$/);
    await close();
    assert.ok(
      await openServer({ host: "192.0.2.1", port }, []).catch((error) => error) instanceof
        ListenError,
    );
  });

  test("writes an address as addresses are written", () => {
    assert.equal(shown({ host: "::1", port: 3301 }), "[::1]:3301");
    assert.equal(shown({ host: "127.0.0.1", port: 3301 }), "127.0.0.1:3301");
  });
});
