import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { describe, test } from "node:test";
import { createHttpClient } from "../../../src/console/requests/httpClient.ts";
import { serve, testTransport } from "../../support/testTransport.ts";

testTransport("the fast transport", createHttpClient(new AbortController().signal));

describe("a stop", () => {
  test("ends a request under way", async () => {
    const stop = new AbortController();
    const url = await serve(() => stop.abort());
    await assert.rejects(createHttpClient(stop.signal)({ purpose: "the test", url }), {
      code: "STOPPED",
      message: "Stopped during the test",
    });
  });

  test("ends the reading of an answer", async () => {
    const stop = new AbortController();
    const url = await serve((_, response) => void response.write("{", () => stop.abort()));
    const asked = createHttpClient(stop.signal)({ purpose: "the test", url });
    await assert.rejects(asked, { code: "STOPPED" });
  });

  test("lets nothing be sent any more", async () => {
    let requests = 0;
    const url = await serve((_, response) => {
      requests++;
      response.end("{}");
    });
    const asked = createHttpClient(AbortSignal.abort())({ purpose: "the test", url });
    await assert.rejects(asked, { code: "STOPPED" });
    assert.equal(requests, 0);
  });

  test("is waited for by no request that has ended", async () => {
    const { signal } = new AbortController();
    const send = createHttpClient(signal);
    const good = await serve((_, response) => void response.end("{}"));
    const bad = await serve((request) => void request.socket.destroy());
    await send({ purpose: "the test", url: good });
    await assert.rejects(send({ purpose: "the test", url: bad }));
    assert.equal(getEventListeners(signal, "abort").length, 0);
  });
});
