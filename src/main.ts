// Every so often this takes the active customers, exchanges each one's system user token for a ticket, and logs on to its
// tenant with it. Settings, log, signals and exit codes: program/. How a log-on becomes patient: console/compose.ts.
import type { Which } from "./database/loadCustomers.ts";
import type { Signer } from "./superoffice/signToken.ts";
import { runProgram } from "./program/runProgram.ts";

await runProgram(async ({ run, target, work, customers, once }, surroundings) => {
  // Loaded when the first line is out, since these bring most of the packages.
  const { openDatabase } = await import("./database/connection.ts");
  const { countCustomers, loadCustomers } = await import("./database/loadCustomers.ts");
  const { recordResults } = await import("./database/recordResults.ts");
  const { createSigner } = await import("./superoffice/signToken.ts");
  const { createClock } = await import("./console/clock.ts");
  const { compose } = await import("./console/compose.ts");
  const { createHttpClient } = await import("./console/httpClient.ts");
  const { everySoOften } = await import("./console/loop.ts");
  const { createMemory } = await import("./console/memory.ts");
  const { createNobody } = await import("./console/nobody.ts");
  const { createPoll } = await import("./console/poll.ts");
  const { createResultWriter } = await import("./console/resultWriter.ts");
  const { createTenantStates } = await import("./console/tenantStates.ts");
  const { createTickets } = await import("./console/tickets.ts");
  const { createTurns } = await import("./console/turns.ts");
  const { createVisit } = await import("./console/visit.ts");
  const { createWork } = await import("./console/work.ts");

  const { log, secrets, explain, telemetry, showProgress, takeNewSettings, stop, giveUp } =
    surroundings;
  const monotonicMs = () => performance.now();
  const clock = createClock(() => new Date());
  const loginHost = new URL(target.loginUrl).host;
  const turns = createTurns(run.concurrency);
  const database = openDatabase(target.databaseUrl);
  const load = (which: Which) => loadCustomers(database, monotonicMs, which);
  const withLastWork = work !== undefined;
  const results = createResultWriter(
    (batch) => recordResults(batch, database),
    { explain, secrets, log },
  );

  const tickets = createTickets(monotonicMs, log);
  const kept = { tickets, states: createTenantStates(run.pollMs, monotonicMs) };
  const store = run.storesTickets
    ? (await import("./console/ticketStore.ts"))
      .createTicketStore(target, kept, database, { explain, monotonicMs, log })
    : undefined;
  const share = run.share && store
    ? (await import("./program/openShare.ts"))
      .openShare(
        run.pollMs,
        database,
        store,
        (ids) => load({ ids, withLastWork }),
        turns,
        surroundings,
      )
    : undefined;
  const ownMemory = createMemory(
    run.pollMs,
    run.requestTimeoutMs,
    loginHost,
    monotonicMs,
    share?.backoff,
  );
  const memory = share?.noting(ownMemory) ?? ownMemory;

  // Each time anew, since the key may be replaced under way.
  const sign: Signer = (data) => createSigner(target.privateKey)(data);
  const send = createHttpClient(giveUp, run.requestTimeoutMs, run.proxies);
  const means = { sign, send, clock, monotonicMs, log, telemetry };
  const { call, logOn, takeNews } = compose(
    target,
    run,
    means,
    { ...kept, store, claimed: share?.claimed },
    giveUp,
    turns,
  );
  const ownWork = work && createWork(work, call, run.workTimeoutMs, giveUp);

  // Exchange a customer's token for a ticket, and log on to its tenant with it; say and record what came of it.
  const around = { memory, secrets, telemetry, log };
  const visit = createVisit(
    { logOn, work: ownWork, record: results.add, explain, monotonicMs },
    around,
  );

  // Take the active customers, or those named, and visit each.
  const findNamed = customers.length > 0
    ? (await import("./program/findNamed.ts")).createNamed(customers, database)
    : undefined;
  const progress = showProgress?.(async () => countCustomers(database, await findNamed?.()));
  const parts = { visit, explain, takeNews, progress, settle: store?.settle, monotonicMs };
  const tellIfNobody = createNobody(log);
  const takeAll = createPoll(parts, turns, around, stop);
  const poll = async () => {
    if (await takeNewSettings()) memory.tryAll();
    // The script's next run goes on from its last one.
    if (work !== undefined) await results.write();
    const pages = share?.customers() ??
      tellIfNobody(load({ only: await findNamed?.(), withLastWork }));
    return await takeAll(store?.filled(pages) ?? pages);
  };

  try {
    if (once) {
      const { complete, failed, workFailed } = await (await poll()).done;
      return await results.flush() && complete && failed + workFailed === 0;
    }
    // Every so often.
    await everySoOften(poll, run.pollMs, stop, monotonicMs, share?.nextBeat);
    return true;
  } finally {
    await Promise.all([results.flush(), store?.flush()]);
    await share?.leave();
    await database.end({ timeout: 1 });
  }
});
