import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { flagsFor, listenersOf, permissionsFor } from "../../src/program/permissions.ts";

const DATABASE_URL = "postgres://console:word@db.example/crm";
const SUPEROFFICE = ["superoffice.com:443", "*.superoffice.com:443"];

describe("on Deno the console may reach", () => {
  const cases: [string, Record<string, string>, string[]][] = [
    ["SuperOffice and the database", { DATABASE_URL }, [...SUPEROFFICE, "db.example:5432"]],
    ["each of the database's hosts", {
      DATABASE_URL: "postgres://a:b@one:5433,two,[::1]:5434/crm?sslmode=require",
    }, [...SUPEROFFICE, "one:5433", "two:5432", "[::1]:5434"]],
    ["the port of the login host's own, too", {
      SUPEROFFICE_LOGIN_URL: "https://sod.superoffice.com:8443",
    }, [...SUPEROFFICE, "superoffice.com:8443", "*.superoffice.com:8443"]],
    ["another login host alone", {
      SUPEROFFICE_LOGIN_URL: "https://superoffice.example.com",
    }, ["superoffice.example.com:443"]],
    ["this machine where the login host is on it", {
      SUPEROFFICE_LOGIN_URL: "http://127.0.0.1:5000",
    }, ["127.0.0.1", "localhost", "[::1]"]],
    ["who collects its telemetry", {
      OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector.example:4318",
      OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: "https://metrics.example/v1",
    }, [...SUPEROFFICE, "collector.example:4318", "metrics.example:443"]],
    ["the proxy", {
      HTTPS_PROXY: "http://other.example:1",
      https_proxy: "http://me:word@proxy.example:3128",
      HTTP_PROXY: "http://proxy.example:3128",
    }, [...SUPEROFFICE, "proxy.example:3128"]],
    ["the addresses where it listens, and no other port of them", {
      NOTIFICATIONS_LISTEN: "0.0.0.0:3301",
      HEALTH_LISTEN: "[::1]:3302",
    }, [...SUPEROFFICE, "0.0.0.0:3301", "[::1]:3302"]],
    ["one address for both, by all that its name means", {
      NOTIFICATIONS_LISTEN: "localhost:3301",
      HEALTH_LISTEN: "LOCALHOST:3301",
    }, [...SUPEROFFICE, "localhost:3301", "127.0.0.1:3301", "[::1]:3301"]],
    ["nobody whom wrong settings name", {
      DATABASE_URL: "mysql://db.example",
      SUPEROFFICE_LOGIN_URL: "not an address",
      HTTPS_PROXY: "socks5://proxy.example:1080",
      HEALTH_LISTEN: "3302",
      NOTIFICATIONS_LISTEN: "host.example:3301,other.example",
    }, []],
  ];
  for (const [what, variables, hosts] of cases) {
    test(what, () => assert.deepEqual(permissionsFor(variables, false).net, hosts));
  }
});

test("what a work script needs beside that is granted by Deno's own flags", () => {
  const permissions = { net: ["db:5432"], env: ["A"], read: ["x"], write: [], sys: ["uid"] };
  const flags = flagsFor(permissions, [
    "--allow-net=api.example",
    "--allow-env",
    "--allow-write=out",
    "--allow-run=git",
  ]);
  assert.deepEqual(flags, [
    "--allow-net=db:5432,api.example",
    "--allow-read=x",
    "--allow-write=out",
    "--allow-sys=uid",
    "--no-remote",
    "--allow-env",
    "--allow-run=git",
  ]);
});

test("a comma in a path grants nothing beside it", () => {
  const { read, write } = permissionsFor({ LOG_FILE: "logs,/etc/console.log" }, false);
  assert.deepEqual(write, ["logs,,/etc"]);
  assert.deepEqual(read, [".env", "logs,,/etc"]);
});

test("modules of other hosts are for who grants them", () => {
  const none = { net: [], env: [], read: [], write: [], sys: [] };
  assert.deepEqual(flagsFor(none, []), ["--no-remote"]);
  assert.deepEqual(flagsFor(none, ["--allow-import=jsr.io:443"]), ["--allow-import=jsr.io:443"]);
});

test("the demo reaches this machine alone", () => {
  assert.deepEqual(permissionsFor({ DATABASE_URL }, true).net, ["127.0.0.1", "localhost", "[::1]"]);
});

test("the console reads what the settings name, and writes the log's folder alone", () => {
  const { read, write } = permissionsFor({
    SUPEROFFICE_PRIVATE_KEY_FILE: "/run/secrets/key.xml",
    LOG_FILE: "/var/log/console/console.log",
  }, false);
  assert.deepEqual(read, [".env", "/run/secrets/key.xml", "/var/log/console"]);
  assert.deepEqual(write, ["/var/log/console"]);
  assert.deepEqual(permissionsFor({}, false).write, []);
});

test("an approval may listen where its answer comes, and nowhere else", () => {
  assert.deepEqual(listenersOf({}), ["127.0.0.1:3300"]);
  const SUPEROFFICE_REDIRECT_URL = "http://localhost:4000/cb";
  assert.deepEqual(listenersOf({ SUPEROFFICE_REDIRECT_URL }), ["127.0.0.1:4000", "[::1]:4000"]);
  assert.deepEqual(listenersOf({ LISTEN: "wrong" }), []);
});
