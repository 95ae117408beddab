// Every so often this takes the active customers, exchanges each one's system user token for a ticket, and logs on to its
// tenant with it. Settings, log, signals and exit codes: program/. How a log-on becomes patient: console/compose.ts.
import type { Which } from "./database/loadCustomers.ts";
import type { Signer } from "./superoffice/signToken.ts";
import { runProgram } from "./program/runProgram.ts";

await runProgram(async ({ run, target, work, customers, once }, surroundings) => {
  // Loaded when the first line is out, since these bring most of the packages.
  const { addCalls } = await import("./database/callCounts.ts");
  const { openDatabase } = await import("./database/connection.ts");
  const { countCustomers, loadCustomers } = await import("./database/loadCustomers.ts");
  const { recordResults } = await import("./database/recordResults.ts");
  const { createSigner } = await import("./superoffice/signToken.ts");
  const { createCallWriter } = await import("./console/requests/callWriter.ts");
  const { createClock } = await import("./console/clock.ts");
  const { compose } = await import("./console/compose.ts");
  const { createHttpClient } = await import("./console/requests/httpClient.ts");
  const { everySoOften } = await import("./console/loop.ts");
  const { createMemory } = await import("./console/memory.ts");
  const { createNobody } = await import("./console/nobody.ts");
  const { createPoll } = await import("./console/poll.ts");
  const { createResultWriter } = await import("./console/resultWriter.ts");
  const { createTenantStates } = await import("./console/kept/tenantStates.ts");
  const { createTickets } = await import("./console/kept/tickets.ts");
  const { createOwnTurns } = await import("./console/turns/turns.ts");
  const { createVisit } = await import("./console/visit.ts");
  const { createWork } = await import("./console/work.ts");

  const { log, secrets, explain, telemetry, showProgress, takeNewSettings, stop, giveUp } =
    surroundings;
  const monotonicMs = () => performance.now();
  const clock = createClock(() => new Date());
  const loginHost = new URL(target.loginUrl).host;
  const { turns, pollBegins, heeding, takeChange } = createOwnTurns(
    run.concurrency,
    run.pollMs,
    monotonicMs,
  );
  const database = openDatabase(target.databaseUrl);
  const results = createResultWriter(
    (batch) => recordResults(batch, database),
    { explain, secrets, log },
  );

  const tickets = createTickets(monotonicMs, log);
  const kept = { tickets, states: createTenantStates(run.pollMs, monotonicMs) };
  const store = run.storesTickets
    ? (await import("./console/kept/ticketStore.ts"))
      .createTicketStore(target, kept, database, { explain, monotonicMs, log })
    : undefined;

  // Who is taken from the table, and what is remembered of whom.
  const load = (which: Which) =>
    loadCustomers(database, monotonicMs, { ...which, withLastWork: work !== undefined });
  const share = run.share && store
    ? (await import("./console/share/openShare.ts"))
      .openShare(run, once, database, store, (ids) => load({ ids }), turns, surroundings)
    : undefined;
  const { pollMs, requestTimeoutMs } = run;
  const whole = createMemory(pollMs, requestTimeoutMs, loginHost, monotonicMs, share?.backoff);
  let memory = share?.noting(whole) ?? whole;
  if (share === undefined && !once && run.tenantMs > pollMs) {
    const { scheduled } = await import("./console/scheduled.ts");
    memory = scheduled(whole, run, stop, monotonicMs);
  }

  // Each time anew, since the key may be replaced under way.
  const sign: Signer = (data) => createSigner(target.privateKey)(data);
  const send = heeding(createHttpClient(giveUp, run.requestTimeoutMs, run.proxies));
  const means = { sign, send, clock, monotonicMs, log, telemetry };
  const { call, logOn, takeNews, calls } = compose(
    target,
    run,
    means,
    { ...kept, store, claimed: share?.claimed },
    giveUp,
    turns,
  );
  const callWriter = createCallWriter(calls, (batch) => addCalls(batch, database), {
    explain,
    log,
  });
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
  const takeCalls = calls.takeCount;
  const settle = share && store
    ? () => {
      // Before the next beat is cut.
      void results.write();
      return store.settle();
    }
    : store?.settle;
  const parts = { visit, takeNews, takeCalls, takeChange, settle, progress };
  const tellIfNobody = createNobody(log);
  const takeAll = createPoll(parts, turns, { ...around, explain, monotonicMs }, stop);
  const poll = async () => {
    if (await takeNewSettings()) memory.tryAll();
    pollBegins();
    // The script's next run goes on from its last one, and a beat is cut by what stands in the rows.
    if (work !== undefined || share !== undefined) await results.write();
    const pages = share?.customers() ?? tellIfNobody(load({ only: await findNamed?.() }));
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
    await Promise.all([results.flush(), callWriter.flush(), store?.flush()]);
    await share?.leave();
    await database.end({ timeout: 1 });
  }
});
