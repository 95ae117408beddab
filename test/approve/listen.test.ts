import assert from "node:assert/strict";
import { type AddressInfo, connect, createServer } from "node:net";
import { after, before, describe, test } from "node:test";
import { listen, type Listener } from "../../src/approve/listen.ts";
import type { Asking } from "../../src/approve/site.ts";

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** What comes back for these bytes, until the other side hangs up. */
function exchange(port: number, sent: string): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {}).on("close", () => resolve(text));
    socket.setEncoding("utf8").on("data", (piece: string) => text += piece);
    socket.write(sent);
  });
}

describe("a listener", () => {
  const asked: Asking[] = [];
  let form: URLSearchParams | undefined;
  let listener: Listener;
  let port: number;

  before(async () => {
    port = await freePort();
    const slowest = { headersTimeout: 300, requestTimeout: 600, connectionsCheckingInterval: 100 };
    listener = await listen(["127.0.0.1"], port, async (asking) => {
      asked.push(asking);
      if (asking.path === "/fails") throw new Error("a secret reason");
      if (asking.method === "POST") form = await asking.readForm();
      return { status: 303, location: "/next", setCookie: "a=b" };
    }, slowest);
  });

  after(() => listener.close());

  test("passes on what was asked, and answers", async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/path?a=1&b=x%20y?z`, {
      headers: { cookie: "c=d" },
      redirect: "manual",
    });
    assert.equal(answer.status, 303);
    assert.equal(answer.headers.get("location"), "/next");
    assert.equal(answer.headers.get("set-cookie"), "a=b");
    assert.equal(answer.headers.get("cache-control"), "no-store");
    const { method, host, path, query, cookie } = asked.at(-1)!;
    assert.deepEqual(
      { method, host, path, query: [...query], cookie },
      {
        method: "GET",
        host: `127.0.0.1:${port}`,
        path: "/path",
        query: [["a", "1"], ["b", "x y?z"]],
        cookie: "c=d",
      },
    );
  });

  test("reads a form, and no other body", async () => {
    const url = `http://127.0.0.1:${port}/`;
    const post = (body: string, type: string) =>
      fetch(url, { method: "POST", body, headers: { "content-type": type }, redirect: "manual" });
    await post("a=1&b=%C3%B8", "application/x-www-form-urlencoded; charset=utf-8");
    assert.deepEqual([...form!], [["a", "1"], ["b", "ø"]]);
    await post("{}", "application/json");
    assert.equal(form, undefined);
  });

  test("ends what is too long, and what is too slow", async () => {
    const type = "content-type: application/x-www-form-urlencoded";
    const post = `POST / HTTP/1.1\r\nhost: x\r\n${type}\r\ncontent-length: 100000\r\n\r\n`;
    assert.match(await exchange(port, post + "x".repeat(100_000)), /^(HTTP\/1.1 413 .*|)/);
    const begun = await exchange(port, `${post}abc`);
    assert.doesNotMatch(begun, /303/);
    assert.doesNotMatch(await exchange(port, "GET / HTTP/1.1\r\nhost: x\r\nslow: "), /303/);
    // And others are served.
    assert.match(await exchange(port, "GET / HTTP/1.1\r\nhost: x\r\n\r\n"), /^HTTP\/1.1 303/);
  });

  test("keeps its own mistakes to itself", async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/fails`);
    assert.equal(answer.status, 500);
    assert.doesNotMatch(await answer.text(), /secret/);
  });
});

test("where an address is taken, it says so, and leaves the other one free", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  const nothing = () => Promise.resolve({ status: 404 });
  await assert.rejects(listen(["127.0.0.1", "::1"], port, nothing), (error: Error) => {
    assert.match(
      error.message,
      /^Nothing can listen at 127\.0\.0\.1:\d+ and \[::1\]:\d+: something else listens there$/,
    );
    return true;
  });
  await new Promise((resolve) => server.close(resolve));
  await (await listen(["127.0.0.1", "::1"], port, nothing)).close();
});

test("an address that is not this machine's is named", async () => {
  const nothing = () => Promise.resolve({ status: 404 });
  await assert.rejects(listen(["192.0.2.1"], await freePort(), nothing), {
    code: "CANNOT_LISTEN",
    message: /this machine has no such address/,
  });
});
