import assert from "node:assert/strict";
import { test } from "node:test";
import { readPasted } from "../../src/approve/pasted.ts";

for (
  const text of [
    "http://127.0.0.1:3300/openid/callback?code=a%2Bb&state=s",
    "  http://127.0.0.1:3300/openid/callback?code=a%2Bb&state=s \r",
    "<http://127.0.0.1:3300/openid/callback?code=a%2Bb&state=s>",
    "http://127.0.0.1:3300/openid/callback#code=a%2Bb&state=s",
    "http://127.0.0.1:3300/openid/callback?x=1#code=a%2Bb&state=s",
    "?code=a%2Bb&state=s",
    "state=s&code=a%2Bb",
  ]
) {
  test(`${JSON.stringify(text)} holds an answer`, () => {
    const answer = readPasted(text);
    assert.equal(answer?.get("code"), "a+b");
    assert.equal(answer?.get("state"), "s");
  });
}

test("an error is an answer, too", () => {
  assert.equal(readPasted("?error=access_denied&state=s")?.get("error"), "access_denied");
});

for (const text of ["", "hello", "http://127.0.0.1:3300/openid/callback", "?state=s"]) {
  test(`${JSON.stringify(text)} holds none`, () => assert.equal(readPasted(text), undefined));
}
