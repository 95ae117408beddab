import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { findListening } from "../../src/program/listening.ts";

describe("an approval's answer is waited for", () => {
  const cases: [string, string, string | undefined, [string[], number, string[]]][] = [
    ["at the redirect URL itself", "http://127.0.0.1:4000/cb", undefined, [
      ["127.0.0.1"],
      4000,
      ["127.0.0.1:4000"],
    ]],
    ["at both of this machine's addresses", "http://localhost:4000/cb", undefined, [
      ["127.0.0.1", "::1"],
      4000,
      ["localhost:4000"],
    ]],
    ["at the newer one", "http://[::1]:4000/cb", undefined, [["::1"], 4000, ["[::1]:4000"]]],
    ["at the usual port", "http://127.0.0.1/cb", undefined, [["127.0.0.1"], 80, ["127.0.0.1"]]],
    [
      "behind another host, which may ask by either name",
      "https://vendor.example/cb",
      "127.0.0.1:8080",
      [
        ["127.0.0.1"],
        8080,
        ["vendor.example", "127.0.0.1:8080"],
      ],
    ],
    ["in a container, at every address", "http://127.0.0.1:3300/cb", "0.0.0.0:3300", [
      ["0.0.0.0"],
      3300,
      ["127.0.0.1:3300"],
    ]],
  ];
  for (const [what, url, listen, [addresses, port, hosts]] of cases) {
    test(what, () => {
      const found = findListening({ SUPEROFFICE_REDIRECT_URL: url, LISTEN: listen });
      assert.deepEqual(found, { redirectUrl: url, addresses, port, hosts });
    });
  }
});

test("wrong settings name no place", () => {
  for (const LISTEN of ["3300", "host:0", "host:70000", "a b:1", "http://x:1", "[::1:3300"]) {
    assert.equal(findListening({ LISTEN }), undefined, LISTEN);
  }
  assert.equal(findListening({ SUPEROFFICE_REDIRECT_URL: "nowhere" }), undefined);
});
