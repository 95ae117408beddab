import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, test } from "node:test";
import {
  openGuardedServer,
  type OpenServer,
  readBody,
} from "../../../src/console/listeners/guardedServer.ts";
import { freePort } from "../../support/freePort.ts";
import { sendRaw } from "../../support/rawRequest.ts";

const MOST_CONNECTIONS = 100;
const HALF_HEADERS = "GET /hello HTTP/1.1\r\nHost: x\r\nX: ";
const HALF_BODY = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n01";
const WHOLE = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";

describe("a guarded server", () => {
  let port: number;
  let server: OpenServer;
  let sockets: Socket[];
  /** Is called for each request whose answer waits. */
  let waits: () => void;
  let letGo: () => void;
  /** Is called for each request. */
  let arrives: () => void;
  /** Is called for each body that is undefined. */
  let refused: () => void;
  let asked: number;

  beforeEach(async () => {
    port = await freePort();
    sockets = [];
    waits = () => {};
    arrives = () => {};
    refused = () => {};
    asked = 0;
    const go = new Promise<void>((resolve) => letGo = resolve);
    server = await openGuardedServer("127.0.0.1", port, async (request, response) => {
      asked++;
      arrives();
      if (request.url === "/fail") throw new Error("what answers has failed");
      const text = request.method === "POST" ? await readBody(request, 10) : "Hello";
      if (text === undefined) refused();
      if (request.url === "/wait") {
        waits();
        await go;
      }
      response.writeHead(200).end(`${text}\n`);
    });
  });

  afterEach(async () => {
    letGo();
    for (const socket of sockets) socket.destroy();
    await server.close();
  });

  const hello = async () => (await fetch(`http://127.0.0.1:${port}/hello`)).status;

  /** Holds a connection that has said this. */
  async function hold(text: string): Promise<Socket> {
    const socket = connect(port, "127.0.0.1").on("error", () => {});
    sockets.push(socket);
    await once(socket, "connect");
    socket.write(text);
    return socket;
  }

  /** Resolves when so many requests wait for their answer. */
  function waiting(many: number): Promise<void> {
    return new Promise((resolve) => {
      let left = many;
      waits = () => --left === 0 && resolve();
    });
  }

  test("reads a body to its limit", async () => {
    const post = async (body: string) =>
      await (await fetch(`http://127.0.0.1:${port}/echo`, { method: "POST", body })).text();
    assert.equal(await post("0123456789"), "0123456789\n");
    assert.equal(await post("0123456789a"), "undefined\n");
  });

  test("reads a body to its limit that does not say how long it is", async () => {
    const chunks = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" +
      "8\r\n01234567\r\n8\r\n89abcdef\r\n0\r\n\r\n";
    assert.match(await sendRaw(port, chunks), /^HTTP\/1\.1 200 [^]*undefined/);
  });

  test("hangs up on what is no HTTP, and on very long headers", async () => {
    assert.doesNotMatch(await sendRaw(port, "hello\r\n\r\n"), / 200 /);
    const long = `GET /hello HTTP/1.1\r\nHost: x\r\nX: ${"x".repeat(40_000)}\r\n\r\n`;
    assert.doesNotMatch(await sendRaw(port, long), / 200 /);
    assert.equal(await hello(), 200);
  });

  test("cuts off who says nothing, or not all", { timeout: 30_000 }, async () => {
    // It is the closing that is waited for.
    const answers = await Promise.all(
      ["", HALF_HEADERS, HALF_BODY].map((text) => sendRaw(port, text)),
    );
    for (const answer of answers) assert.doesNotMatch(answer, / 200 /);
  });

  for (
    const [what, text] of Object.entries({
      "say nothing": "",
      "say half of their headers": HALF_HEADERS,
      "say half of their body": HALF_BODY,
    })
  ) {
    test(`answers others while hundreds ${what}: the oldest of those goes`, async () => {
      const idle: Socket[] = [];
      for (let i = 0; i < MOST_CONNECTIONS; i++) idle.push(await hold(text));
      const closed = once(idle[0]!, "close");
      assert.equal(await hello(), 200);
      await closed;
      for (let i = 0; i < 2 * MOST_CONNECTIONS; i++) await hold(text);
      assert.equal(await hello(), 200);
    });
  }

  test("hangs up on nobody who waits for an answer, as long as others only take up room", async () => {
    const first = waiting(1);
    const heard = fetch(`http://127.0.0.1:${port}/wait`);
    await first;
    for (let i = 0; i < 2 * MOST_CONNECTIONS; i++) await hold(HALF_HEADERS);
    assert.equal(await hello(), 200);
    letGo();
    assert.equal((await heard).status, 200);
  });

  test("answers newcomers though all places are taken by who waits: the oldest of those goes", async () => {
    const all = waiting(MOST_CONNECTIONS);
    const waits = "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n";
    const places: Socket[] = [];
    for (let i = 0; i < MOST_CONNECTIONS; i++) places.push(await hold(waits));
    await all;
    const closed = once(places[0]!, "close");
    assert.equal(await hello(), 200);
    await closed;
  });

  test("takes one request a connection, however many come at once", async () => {
    const first = waiting(1);
    const whole = "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n";
    const answer = sendRaw(port, whole + WHOLE.repeat(10_000));
    await first;
    assert.equal(await answer, "");
    assert.equal(asked, 1);
    const alone = await fetch(`http://127.0.0.1:${port}/hello`);
    assert.equal(alone.headers.get("connection"), "close");
  });

  test("hangs up on who is answered by an error, and goes on", async () => {
    assert.equal(await sendRaw(port, WHOLE.replace("/hello", "/fail")), "");
    assert.equal(await hello(), 200);
  });

  test("reads nothing of a body that breaks off", async () => {
    const read = new Promise<void>((resolve) => refused = resolve);
    const arrived = new Promise<void>((resolve) => arrives = resolve);
    const socket = await hold(HALF_BODY);
    await arrived;
    socket.destroy();
    await read;
    assert.equal(await hello(), 200);
  });

  test("does not wait at its end for who never has its answer", async () => {
    const first = waiting(1);
    const answer = fetch(`http://127.0.0.1:${port}/wait`);
    await Promise.all([first, assert.rejects(answer), first.then(() => server.close())]);
  });

  test("answers who was heard when it closes", async () => {
    const first = waiting(1);
    const answer = fetch(`http://127.0.0.1:${port}/wait`);
    await first;
    const closed = server.close();
    letGo();
    assert.equal(await (await answer).text(), "Hello\n");
    await closed;
    await assert.rejects(hello());
  });
});
