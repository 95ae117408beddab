import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { PAGE_HEADERS, pageHtml } from "../../src/approve/page.ts";

const html = pageHtml({
  mood: "well",
  title: `<b>"Tom" & 'Jerry'</b>`,
  paragraphs: ["<script>alert(1)</script>"],
});

test("what a page says is text, whatever it is", () => {
  assert.doesNotMatch(html, /<b>|<script/);
  assert.match(html, /<h1>&#60;b&#62;&#34;Tom&#34; &#38; &#39;Jerry&#39;&#60;\/b&#62;<\/h1>/);
});

test("its style is the one that it may have, and it may have nothing else", () => {
  const [, style = ""] = html.match(/<style>(.*)<\/style>/s) ?? [];
  const hash = createHash("sha256").update(style).digest("base64");
  const policy = PAGE_HEADERS["Content-Security-Policy"]!;
  assert.ok(policy.includes(`style-src 'sha256-${hash}'`), policy);
  assert.match(policy, /^default-src 'none'/);
  assert.doesNotMatch(policy, /unsafe|script|\*/);
  assert.doesNotMatch(html, / style=| on[a-z]+=|<link|<img|url\(/);
});
