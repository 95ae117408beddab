import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ListenError } from "../../../src/console/errors.ts";
import { openServer, type Route, shown } from "../../../src/console/listeners/server.ts";
import { freePort } from "../../support/freePort.ts";

const HELLO: Route = {
  path: "/hello",
  methods: ["GET", "HEAD"],
  answer: () => ({ status: 200, text: "Hello" }),
};

async function open(routes = [HELLO]) {
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
