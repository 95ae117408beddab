// What is asked of the console from outside, by its paths.
import type { IncomingMessage } from "node:http";
import { ListenError } from "../errors.ts";
import { openGuardedServer, type OpenServer } from "./guardedServer.ts";

/** Where a server listens. */
export interface Address {
  /** A name or an address, without brackets. */
  host: string;
  port: number;
}

/** What is answered: a line of text. */
export interface Answer {
  status: number;
  text: string;
  headers?: Record<string, string>;
}

/** What is there at a path. */
export interface Route {
  /** Letter case and a slash at the end do not matter. */
  path: string;
  methods: string[];
  /** Should not reject. */
  answer(request: IncomingMessage): Answer | Promise<Answer>;
}

/** Listens at an address. Throws {@link ListenError} where nothing can listen there. */
export async function openServer(address: Address, routes: Route[]): Promise<OpenServer> {
  const { host, port } = address;
  const opening = openGuardedServer(host, port, async (request, response) => {
    const { status, text, headers } = await answerOf(request, routes);
    response.writeHead(status, {
      "Content-Type": "text/plain; charset=utf-8",
      "Cache-Control": "no-store",
      ...headers,
    });
    response.end(request.method === "HEAD" ? undefined : `${text}\n`);
  });
  return await opening.catch((cause: Error & { code?: string }) => {
    const reason = cause.code === "EADDRINUSE"
      ? "something else listens there already"
      : cause.message;
    throw new ListenError(`The console cannot listen at ${shown(address)}: ${reason}`, { cause });
  });
}

/** As it stands in an address. */
export function shown({ host, port }: Address): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

async function answerOf(request: IncomingMessage, routes: Route[]): Promise<Answer> {
  const path = (request.url ?? "").split("?")[0]!.toLowerCase().replace(/(?<=.)\/$/, "");
  const route = routes.find((route) => route.path.toLowerCase() === path);
  if (route === undefined) return { status: 404, text: "There is nothing here." };
  if (route.methods.includes(request.method ?? "")) return await route.answer(request);
  const Allow = route.methods.join(", ");
  return { status: 405, text: `Here it is ${Allow} alone.`, headers: { Allow } };
}
