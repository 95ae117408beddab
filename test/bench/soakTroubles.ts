// The stand-in for the soak, in a process of its own, and what goes wrong there: trouble after trouble for the first
// customers, by chance from a seed; the last ones stay healthy. In hostile mode each answer to the first ones is a hostile body.
// Prints its login address; begins with the first line that it is sent, and answers each with what it made so far.
import { createInterface } from "node:readline";
import process from "node:process";
import postgres from "postgres";
import { FORGERIES } from "../../fixtures/jwts.ts";
import type { Misbehaviour, Place, Tenant } from "../../fixtures/standIn.ts";
import { makeTenants, startSampleStandIn } from "../support/sampleTenants.ts";
import { createRandom } from "../support/random.ts";
import { hostileBody } from "./hostileBodies.ts";

export interface TroublesInput {
  customers: number;
  /** How many of them have no trouble of their own. */
  healthy: number;
  seed: number;
  databaseUrl: string;
  hostileOnly: boolean;
}

export interface TroublesMade {
  /** How often, by kind. */
  made: Record<string, number>;
  hostileBodies: number;
  exchanges: number;
}

const input = JSON.parse(process.argv[2] ?? "") as TroublesInput;
const EVERY_MS = 200;
const LONGEST_MS = 2000;
/** The customers that come and go. */
const GUESTS = 8;
/**
 * After a look for new keys that brought none the console looks no more for 30 seconds, so that no forger makes it ask again and
 * again. Real keys that change meanwhile would hold up the healthy, too: forgeries come early in a minute, new keys late.
 */
const MINUTE_MS = 60_000;
const FORGERIES_UNTIL_MS = 20_000;
const NEW_KEYS_AT_MS = 55_000;

const ANYWHERE: Record<string, Misbehaviour> = {
  hang: "hang",
  reset: "reset",
  cutBody: "cutBody",
  hugeBody: "hugeBody",
  notJson: "notJson",
  wrongShape: "wrongShape",
  "status 302": { status: 302, headers: { location: "https://elsewhere.example/" } },
  "status 403": { status: 403 },
  "status 404": { status: 404 },
  "status 429": { status: 429, headers: { "retry-after": "3600" } },
  "status 500": { status: 500 },
  "status 503": { status: 503, headers: { "retry-after": "Wed, 21 Oct 2099 07:28:00 GMT" } },
};
const ANSWERS: Record<"state" | "exchange" | "call", Record<string, Misbehaviour>> = {
  state: { ...ANYWHERE, "status 401": { status: 401 }, wrongTenant: "wrongTenant" },
  exchange: {
    ...ANYWHERE,
    "status 401": { status: 401 },
    echo: "echo",
    refuse: { refuse: "Expired: too late" },
    "refuse, unknown": { refuse: "A reason that nobody documented" },
    "refuse, time": { refuse: "InvalidTimestamp: out of range" },
  },
  call: {
    ...ANYWHERE,
    "status 401": { status: 401 },
    "status 421": { status: 421 },
    wrongTenant: "wrongTenant",
  },
};

const random = createRandom(input.seed);
const pick = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)]!;
const tenants = makeTenants(input.customers);
const troubled = tenants.slice(0, input.customers - input.healthy);
const guests: Tenant[] = [];
const sql = postgres(input.databaseUrl, { max: 1, onnotice: () => {} });
const [{ id: firstId } = { id: 0 }] = await sql<{ id: number }[]>`
  select min(id)::int as id from customers`;
// A state is read again as soon as the console keeps it no longer.
const standIn = await startSampleStandIn(tenants, { stateValidMs: 0 });
const made: Record<string, number> = {};
let hostileBodies = 0;

type End = () => unknown;
/** Begins a trouble; what it gives ends it. */
type Kind = (tenant: Tenant) => End | void | Promise<End | void>;

/** By the row's place in the table, whatever name it bears at the moment. */
const change = (tenant: Tenant, columns: Record<string, string | boolean>) =>
  sql`update customers set ${sql(columns)} where id = ${firstId + tenants.indexOf(tenant)}`;

const KINDS: Record<string, Kind> = {
  hostileBody: (tenant) => {
    const place = pick(["state", "exchange", "call"] as const);
    hostileBodies++;
    const how = hostileBody(Math.floor(random() * 1000), place, tenant.contextIdentifier);
    return misbehave(place, how, tenant);
  },
  moved(tenant) {
    tenant.host = tenant.host === 0 ? 1 : 0;
  },
  suspended(tenant) {
    tenant.state = pick(["Suspended", "OnlineMaintenance", "Off", "Deleted"]);
    return () => delete tenant.state;
  },
  revoked(tenant) {
    tenant.revoked = true;
    standIn.misbehave({ ...concerning(tenant), at: "call", how: { status: 401 }, times: 1 });
    return () => tenant.revoked = false;
  },
  async "row: a new token"(tenant) {
    tenant.systemUserToken = `Test App-${Math.floor(random() * 1e10)}`;
    await change(tenant, { system_user_token: tenant.systemUserToken });
  },
  async "row: a wrong token"(tenant) {
    await change(tenant, { system_user_token: pick(["Test App-wrong", "", "\u202e\n'; --"]) });
    return () => change(tenant, { system_user_token: tenant.systemUserToken });
  },
  async "row: not active"(tenant) {
    await change(tenant, { is_active: false });
    return () => change(tenant, { is_active: true });
  },
  async "row: another name"(tenant) {
    const { contextIdentifier } = tenant;
    const other = `${contextIdentifier}\u202e/../${"x".repeat(100)}`;
    await change(tenant, { context_identifier: other });
    return () => change(tenant, { context_identifier: contextIdentifier });
  },
  async "customer added or removed"() {
    const contextIdentifier = `Cust${20001 + Math.floor(random() * GUESTS)}`;
    const at = guests.findIndex((guest) => guest.contextIdentifier === contextIdentifier);
    if (at >= 0) {
      guests.splice(at, 1);
      standIn.tenants.delete(contextIdentifier.toLowerCase());
      await sql`delete from customers where context_identifier = ${contextIdentifier}`;
      return;
    }
    const systemUserToken = `Test App-${Math.floor(random() * 1e10)}`;
    const guest: Tenant = { contextIdentifier, systemUserToken, associate: "A guest", host: 0 };
    guests.push(guest);
    standIn.tenants.set(contextIdentifier.toLowerCase(), guest);
    await sql`insert into customers (context_identifier, system_user_token)
      values (${contextIdentifier}, ${systemUserToken})`;
  },
  "tickets forgotten": () => standIn.forgetTickets(),
};
for (const [place, answers] of Object.entries(ANSWERS) as [Place, Record<string, Misbehaviour>][]) {
  for (const [name, how] of Object.entries(answers)) {
    KINDS[`${place}: ${name}`] = (tenant) => misbehave(place, how, tenant);
  }
}
const EARLY_KINDS: Record<string, Kind> = {
  ...KINDS,
  "keys: no answer": () => standIn.misbehave({ at: "keys", how: pick(Object.values(ANYWHERE)) }),
};
for (const forge of FORGERIES) {
  EARLY_KINDS[`forge: ${forge}`] = (tenant) => misbehave("exchange", { forge }, tenant);
}

function concerning({ contextIdentifier }: Tenant) {
  return { contextIdentifier };
}

function misbehave(at: Place, how: Misbehaviour, tenant: Tenant): End {
  // A ticket that is kept must first be refused, or nothing is exchanged.
  if (at === "exchange") {
    standIn.misbehave({ ...concerning(tenant), at: "call", how: { status: 401 }, times: 1 });
  }
  return standIn.misbehave({ ...concerning(tenant), at, how });
}

function beginTroubles(): void {
  const startedAt = performance.now();
  let newKeys = 0;
  setInterval(async () => {
    const elapsed = performance.now() - startedAt;
    const inMinute = elapsed % MINUTE_MS;
    if (elapsed > newKeys * MINUTE_MS + NEW_KEYS_AT_MS) {
      newKeys++;
      note("new keys");
      await standIn.rotateKeys(random() < 0.5);
      standIn.forgetTickets();
      return;
    }
    const kinds = inMinute < FORGERIES_UNTIL_MS ? EARLY_KINDS : KINDS;
    const name = pick(Object.keys(kinds));
    const tenant = pick(troubled);
    const lastsMs = LONGEST_MS * (0.1 + 0.9 * random());
    note(name);
    const end = await kinds[name]!(tenant);
    // A query is sent when it is waited for.
    if (end) setTimeout(async () => void await end(), lastsMs);
  }, EVERY_MS);
}

function note(kind: string): void {
  made[kind] = (made[kind] ?? 0) + 1;
}

/** Each customer meets the hostile bodies at a place of its own, so that each place is reached. */
function beginHostility(): void {
  const places = ["state", "exchange", "call"] as const;
  const placeOf = new Map(
    troubled.map(({ contextIdentifier }, index) => [contextIdentifier, places[index % 3]]),
  );
  standIn.events.on("request", (place: Place, contextIdentifier: string) => {
    if (placeOf.get(contextIdentifier) !== place) return;
    const how = hostileBody(hostileBodies++, place, contextIdentifier);
    standIn.misbehave({ at: place, how, contextIdentifier, times: 1 });
  });
}

const print = (value: unknown) => console.log(JSON.stringify(value));
print({ loginUrl: standIn.loginUrl });
let hasBegun = false;
for await (const _ of createInterface({ input: process.stdin })) {
  if (!hasBegun) input.hostileOnly ? beginHostility() : beginTroubles();
  hasBegun = true;
  const { exchange: exchanges } = standIn.counts;
  print({ made, hostileBodies, exchanges } satisfies TroublesMade);
}
process.exit(0);
