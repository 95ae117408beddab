import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { createInterrupt } from "../../src/approve/interrupt.ts";
import { waitForApprovals } from "../../src/approve/wait.ts";
import { createSecrets } from "../../src/program/knownSecrets.ts";
import { createRedact } from "../../src/program/redact.ts";

const nobodyCame = () => Promise.reject(new Error("nobody came"));

test("where nobody comes in time, it says what the reason may be", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  const redirectUrl = `http://127.0.0.1:${port}/openid/callback`;
  const applicant = {
    ask: () =>
      Promise.resolve({ address: "https://login.example/", state: "s", nonce: "n", verifier: "v" }),
    settle: { store: nobodyCame, logOn: nobodyCame },
  };
  const listening = { redirectUrl, addresses: ["127.0.0.1"], port, hosts: [`127.0.0.1:${port}`] };
  const waiting = { listening, isKeptOpen: false, minutes: 0.0005, opensBrowser: false };
  const secrets = createSecrets();
  const discretion = { secrets, redact: createRedact(secrets) };
  await assert.rejects(
    waitForApprovals(applicant, waiting, discretion, createInterrupt()),
    (error: Error & { code: string; remedy: string }) => {
      assert.equal(error.code, "NOBODY_CAME");
      assert.match(error.remedy, /client id or the redirect URL is wrong, compare them/);
      return true;
    },
  );
});
