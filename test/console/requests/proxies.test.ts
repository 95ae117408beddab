import assert from "node:assert/strict";
import { test } from "node:test";
import { type Proxies, proxyFor } from "../../../src/console/requests/proxies.ts";

const https = { origin: "http://a:1", host: "a:1", credentials: undefined };
const http = { origin: "http://b:2", host: "b:2", credentials: undefined };
const HOST = "https://online3.superoffice.com/Cust12345";

const cases: [address: string, noProxy: string[], expected: Proxies["https"]][] = [
  [HOST, [], https],
  ["http://collector.example:4318", [], http],
  [HOST, ["*"], undefined],
  [HOST, ["online3.superoffice.com"], undefined],
  [HOST, ["superoffice.com"], undefined],
  [HOST, [".superoffice.com"], undefined],
  [HOST, ["*.superoffice.com"], undefined],
  [HOST, ["superoffice.com:443"], undefined],
  [HOST, ["superoffice.com:8443"], https],
  [HOST, ["office.com", "online3", "online3.superoffice.com.example"], https],
  ["http://collector.example:4318", ["collector.example:4318"], undefined],
  ["http://10.1.2.3:4318", ["10.1.2.3"], undefined],
  ["http://10.0.0.1:4318", ["0.0.1"], http],
  [HOST, ["superoffice.com."], undefined],
  ["http://[fd00::1]:4318", ["[fd00::1]"], undefined],
  ["http://[fd00::1]:4318", ["fd00:0:0::1"], undefined],
  ["http://[fd00::1]:4318", ["fd00::1"], undefined],
  ["http://[fd00::1]:4318", ["[fd00::2]", "fd00::"], http],
  ["http://[fd00::1]:4318", ["fe80::1%eth0"], http],
  // This machine itself, whatever NO_PROXY says.
  ["http://localhost:5000", [], undefined],
  ["http://127.0.0.1:5000", [], undefined],
  ["https://127.1.2.3", [], undefined],
  ["http://[::1]:5000", [], undefined],
  ["http://localhost.example", [], http],
];
for (const [address, direct, expected] of cases) {
  test(`${address} is asked ${expected ? "through its proxy" : "directly"} with NO_PROXY=${direct}`, () => {
    assert.equal(proxyFor(new URL(address), { https, http, direct }), expected);
  });
}

test("an address for whose protocol there is no proxy is asked directly", () => {
  const proxies = { https: undefined, http, direct: [] };
  assert.equal(proxyFor(new URL(HOST), proxies), undefined);
  assert.equal(proxyFor(new URL(HOST), undefined), undefined);
});
