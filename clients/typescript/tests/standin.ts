/** A desk for tests: answers as told, over a real socket, and keeps what it was asked. */

import { once } from "node:events";
import { type IncomingHttpHeaders, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";

import { Lobby, type LobbyOptions } from "../src/index.js";

export const KEY = "lobby_SECRETSECRETSECRET";

/** A request that came. */
export interface Asked {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/** What is answered. A status of 0 cuts the connection before an answer; `null` never answers. */
export interface Reply {
  status?: number;
  body?: unknown;
  headers?: Record<string, string>;
}

export interface StandIn {
  url: string;
  asked: Asked[];
  /** Seconds that were waited between attempts. */
  slept: number[];
  client(options?: LobbyOptions): Lobby;
  /** Method and path of each request, below the API's own. */
  paths(): string[];
}

export function refusal(status: number, code: string, headers: Record<string, string> = {}): Reply {
  const error = { code, message: "It cannot be done.", next: "Do something.", requestId: "r1" };
  return { status, body: { error }, headers };
}

/** Answer each request with the next of *replies*, the last one for ever. */
export async function standIn(
  test: TestContext,
  ...replies: (Reply | null | ((asked: Asked) => Reply | null))[]
): Promise<StandIn> {
  const asked: Asked[] = [];
  const slept: number[] = [];
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const one = {
      method: request.method ?? "",
      path: request.url ?? "",
      headers: request.headers,
      body: Buffer.concat(parts),
    };
    asked.push(one);
    const next = replies.length > 1 ? replies.shift() : replies[0];
    const reply = typeof next === "function" ? next(one) : next;
    if (reply === null) return;
    if (reply?.status === 0) {
      request.socket.destroy();
      return;
    }
    response.writeHead(reply?.status ?? 200, { "content-type": "application/json", ...reply?.headers });
    response.end(typeof reply?.body === "string" ? reply.body : JSON.stringify(reply?.body ?? {}));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  test.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    asked,
    slept,
    client: (options = {}) =>
      new Lobby({
        apiKey: KEY,
        url,
        sleep: async (milliseconds, signal) => {
          signal?.throwIfAborted();
          slept.push(milliseconds / 1000);
        },
        ...options,
      }),
    paths: () => asked.map((one) => `${one.method} ${one.path.split("?")[0]?.replace("/api/v1", "")}`),
  };
}
