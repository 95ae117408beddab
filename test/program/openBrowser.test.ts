import assert from "node:assert/strict";
import { test } from "node:test";
import { hasScreen } from "../../src/program/openBrowser.ts";

for (
  const [what, variables, platform, expected] of [
    ["a desktop", { DISPLAY: ":0" }, "linux", true],
    ["a newer desktop", { WAYLAND_DISPLAY: "wayland-0" }, "linux", true],
    ["a container, or a server", {}, "linux", false],
    [
      "a session from elsewhere",
      { DISPLAY: "localhost:10.0", SSH_CONNECTION: "a b" },
      "linux",
      false,
    ],
    ["a Mac", {}, "darwin", true],
    ["a Mac elsewhere", { SSH_TTY: "/dev/ttys0" }, "darwin", false],
    ["Windows", {}, "win32", true],
  ] as const
) {
  test(`${what} ${expected ? "has" : "has no"} screen for a browser`, () => {
    assert.equal(hasScreen(variables, platform), expected);
  });
}
