import assert from "node:assert/strict";
import { type AddressInfo, createServer } from "node:net";
import { after, before, describe, test } from "node:test";
import { listen } from "../../src/approve/listen.ts";
import type { Asking } from "../../src/approve/site.ts";
import type { OpenServer } from "../../src/console/listeners/guardedServer.ts";
import { freePort } from "../support/freePort.ts";
import { sendRaw } from "../support/rawRequest.ts";

describe("a listener", () => {
  const asked: Asking[] = [];
  let form: URLSearchParams | undefined;
  let listener: OpenServer;
  let port: number;

  before(async () => {
    port = await freePort();
    listener = await listen(["127.0.0.1"], port, async (asking) => {
      asked.push(asking);
      if (asking.path === "/fails") throw new Error("a secret reason");
      if (asking.method === "POST") form = await asking.readForm();
      return { status: 303, location: "/next", setCookie: "a=b" };
    });
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

  test("refuses what is too long, and serves others", async () => {
    const type = "content-type: application/x-www-form-urlencoded";
    const head = `POST / HTTP/1.1\r\nhost: x\r\n${type}\r\n`;
    const post = `${head}content-length: 100000\r\n\r\n`;
    assert.match(await sendRaw(port, post + "x".repeat(100_000)), /^(HTTP\/1.1 413 .*|)/);
    assert.match(await sendRaw(port, "GET / HTTP/1.1\r\nhost: x\r\n\r\n"), /^HTTP\/1.1 303/);
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
