/** API calls over `fetch`: the key, retries, timeouts and errors. */

import {
  APIConnectionError,
  RedirectedError,
  type Refusal,
  UnreadableAnswerError,
  errorOf,
  secondsOf,
} from "./errors.js";
import { API_VERSION, VERSION } from "./version.js";

const API = "/api/v1";
const LOCAL = new Set(["localhost", "127.0.0.1", "[::1]"]);

const FIRST_PAUSE = 0.5;
const LONGEST_PAUSE = 8;
/** Seconds. A desk that asks for more than this is believed, and the call fails. */
const LONGEST_RETRY_AFTER = 60;
/** How many seconds longer than a route is asked to wait its answer is waited for. */
const EXTRA_SECONDS = 10;

/** Errors of a connection that never was one, so the request cannot have arrived. */
const NOT_SENT = new Set([
  "EAI_AGAIN",
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "UND_ERR_CONNECT_TIMEOUT",
]);
const CERTIFICATE = /^(CERT_|DEPTH_ZERO|ERR_TLS_CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY))/;

export type Id = number | string;

export interface Options {
  /** Ends the call early. */
  signal?: AbortSignal | undefined;
  /** Milliseconds an attempt may wait for the desk; otherwise that of the client. */
  timeout?: number | undefined;
}

export interface PostOptions extends Options {
  /** Names this call, so that a program that was stopped may make it again. Otherwise one is made. */
  idempotencyKey?: string | undefined;
}

export interface VersionedOptions extends Options {
  /** The `ETag` that was read; if it was changed since, nothing is done: PreconditionFailedError. */
  ifMatch?: string | undefined;
}

/** A file to upload. */
export interface NamedFile {
  content: Blob | Uint8Array | string;
  /** What it is called; default: `file`. */
  name?: string | undefined;
  /** Default: that of a Blob, or `application/octet-stream`. */
  contentType?: string | undefined;
}

/** What a call sends besides method and path. */
export interface Parts {
  query?: object;
  body?: unknown;
  file?: NamedFile;
  options?: PostOptions & VersionedOptions;
  /** Whether doing it twice may do harm. */
  once?: boolean;
  /** Seconds the desk is asked to wait for something to happen. */
  wait?: number;
  /** Seconds the desk may take, where the call has no timeout of its own. */
  takes?: number;
}

/** The settings of a client. */
export interface Settings {
  timeout: number;
  maxRetries: number;
  fetch: typeof fetch;
  sleep: (milliseconds: number, signal?: AbortSignal) => Promise<void>;
  warn: (text: string) => void;
}

/** A response that was read. */
export interface Answer {
  status: number;
  headers: Headers;
  body: ArrayBuffer;
}

/** A request for all its attempts. */
interface Sending {
  method: string;
  url: string;
  headers: Headers;
  body: ArrayBuffer | string | undefined;
  timeout: number;
  signal: AbortSignal | undefined;
}

/** There was no response. */
class ConnectionFailed {
  constructor(
    readonly why: string,
    /** Whether the request may have arrived. */
    readonly sent: boolean,
    /** Whether trying again cannot help: a certificate that is not to be trusted. */
    readonly final: boolean,
  ) {}
}

/** Makes calls with one key to one desk. */
export class Http {
  readonly #key: string;
  #warned = false;

  constructor(
    readonly url: string,
    key: string,
    readonly settings: Settings,
  ) {
    this.#key = key;
  }

  /** Return the JSON of the response. */
  async json<T>(method: string, template: string, ids: readonly Id[], parts: Parts): Promise<T> {
    const answer = await this.raw(method, template, ids, parts);
    try {
      return JSON.parse(new TextDecoder().decode(answer.body)) as T;
    } catch {
      throw new UnreadableAnswerError(`${method} ${template} was answered with something else than JSON`);
    }
  }

  /** Return the `data` of a list that has no pages. */
  async data<T>(method: string, template: string, ids: readonly Id[], parts: Parts): Promise<T> {
    return (await this.json<{ data: T }>(method, template, ids, parts)).data;
  }

  /** Return the body of the response, with its type. */
  async blob(method: string, template: string, ids: readonly Id[], parts: Parts): Promise<Blob> {
    const answer = await this.raw(method, template, ids, parts);
    return new Blob([answer.body], { type: answer.headers.get("content-type") ?? "" });
  }

  /** Make a call whose response has no body. */
  async none(method: string, template: string, ids: readonly Id[], parts: Parts): Promise<void> {
    await this.raw(method, template, ids, parts);
  }

  /** Return the response to a successful call. */
  async raw(method: string, template: string, ids: readonly Id[], parts: Parts): Promise<Answer> {
    const options = parts.options ?? {};
    const headers = new Headers({
      Accept: "application/json",
      Authorization: `Bearer ${this.#key}`,
      "Lobby-Version": API_VERSION,
      "User-Agent": `lobby-desk-client-typescript/${VERSION}`,
    });
    let body: ArrayBuffer | string | undefined;
    if (parts.file !== undefined) {
      const form = new Response(formOf(parts.file));
      headers.set("Content-Type", form.headers.get("content-type") ?? "");
      body = await form.arrayBuffer(); // the same bytes in each attempt, so that the key fits
    } else if (parts.body !== undefined) {
      headers.set("Content-Type", "application/json");
      body = JSON.stringify(parts.body);
    }
    const key = method === "POST" ? (options.idempotencyKey ?? crypto.randomUUID()) : undefined;
    if (key !== undefined) headers.set("Idempotency-Key", key);
    if (options.ifMatch !== undefined) headers.set("If-Match", options.ifMatch);
    const timeout = options.timeout ?? atLeast(this.settings.timeout, parts.takes);
    const sending: Sending = {
      method,
      url: this.url + pathOf(template, ids) + queryOf(parts.query ?? {}),
      headers,
      body,
      timeout: atLeast(timeout, parts.wait),
      signal: options.signal,
    };
    const answer = await this.#attempt(sending, !parts.once && options.ifMatch === undefined, key);
    if (answer.status >= 200 && answer.status < 300) return answer;
    if (answer.status === 0 || (answer.status >= 300 && answer.status < 400)) {
      throw new RedirectedError(
        `the desk's address leads to ${whereTo(answer)}; set url to the address itself`,
      );
    }
    throw errorOf(answer.status, refusalOf(answer), answer.headers, key);
  }

  async #attempt(sending: Sending, repeatable: boolean, key: string | undefined): Promise<Answer> {
    const attempts = new Attempts(this.settings.maxRetries, repeatable);
    for (;;) {
      sending.signal?.throwIfAborted();
      const found = await this.#send(sending);
      if (!(found instanceof ConnectionFailed)) this.#checkExpiry(found);
      const pause = found instanceof ConnectionFailed ? attempts.failed(found) : attempts.answered(found);
      if (pause === undefined) {
        if (found instanceof ConnectionFailed) throw new APIConnectionError(found.why, found.sent, key);
        return found;
      }
      await this.settings.sleep(pause * 1000, sending.signal);
    }
  }

  /** Warn once if the key expires soon. */
  #checkExpiry(answer: Answer): void {
    const at = answer.headers.get("lobby-key-expires");
    if (at === null || this.#warned) return;
    this.#warned = true;
    this.settings.warn(`the API key expires at ${at}: ask an owner of the workspace for a new one`);
  }

  async #send(sending: Sending): Promise<Answer | ConnectionFailed> {
    const ending = new AbortController();
    const end = () => ending.abort(sending.signal?.reason);
    const timer = setTimeout(() => ending.abort(), sending.timeout);
    sending.signal?.addEventListener("abort", end);
    try {
      const response = await this.settings.fetch(sending.url, {
        method: sending.method,
        headers: sending.headers,
        body: sending.body ?? null,
        redirect: "manual", // the key goes nowhere else
        signal: ending.signal,
      });
      return { status: response.status, headers: response.headers, body: await response.arrayBuffer() };
    } catch (error) {
      if (sending.signal?.aborted) throw sending.signal.reason;
      if (ending.signal.aborted) return new ConnectionFailed(`nothing in ${sending.timeout} ms`, true, false);
      return failureOf(error);
    } finally {
      clearTimeout(timer);
      sending.signal?.removeEventListener("abort", end);
    }
  }
}

/** Decides after each attempt whether and when to retry. Seconds. */
class Attempts {
  #pause = FIRST_PAUSE;

  constructor(
    private left: number,
    private readonly repeatable: boolean,
  ) {}

  /** Return the seconds to wait before a retry, or undefined to give up. */
  failed(problem: ConnectionFailed): number | undefined {
    if (problem.final || (problem.sent && !this.repeatable)) return undefined;
    return this.#next(undefined);
  }

  /** Return the seconds to wait before a retry, or undefined to accept this response. */
  answered(answer: Answer): number | undefined {
    const asked = secondsOf(answer.headers.get("retry-after"));
    if (answer.status === 429) return this.#next(asked);
    if (!this.repeatable || ![409, 502, 503, 504].includes(answer.status)) return undefined;
    const code = refusalOf(answer).code;
    // A conflict is an answer, unless it says that the attempt before this one is still being worked on.
    const again = answer.status === 409 ? code === "request_in_flight" : code !== "provider_refused";
    return again ? this.#next(asked) : undefined;
  }

  #next(asked: number | undefined): number | undefined {
    if (this.left <= 0 || (asked !== undefined && asked > LONGEST_RETRY_AFTER)) return undefined;
    this.left -= 1;
    const jitter = Math.random() * this.#pause;
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE);
    return asked === undefined ? jitter : asked + Math.min(jitter, 1);
  }
}

/**
 * Return the base URL of the API for a desk's address.
 *
 * @throws TypeError for what is no address, or would send the key where others can read it.
 */
export function addressOf(text: string, allowHttp: boolean): string {
  let url: URL | undefined;
  try {
    url = new URL(text.trim());
  } catch {
    url = undefined;
  }
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.search || url.hash) {
    throw new TypeError("url has to be the address of a desk, like https://desk.example.com");
  }
  if (url.username || url.password) throw new TypeError("url must hold no name and no password");
  if (url.protocol === "http:" && !allowHttp && !LOCAL.has(url.hostname)) {
    throw new TypeError(
      "url is http, so others could read the key; use https, or pass allowHttp in a network you trust",
    );
  }
  const found = url.origin + url.pathname.replace(/\/+$/, "");
  return found.endsWith(API) ? found : found + API;
}

/** Wait, or end early when *signal* is aborted, with its reason. */
export function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", end);
      resolve();
    }, milliseconds);
    if (signal?.aborted) end();
    else signal?.addEventListener("abort", end, { once: true });
  });
}

/** Return a timeout in milliseconds, or a longer one that leaves the desk *seconds*. */
function atLeast(timeout: number, seconds: number | undefined): number {
  return seconds ? Math.max(timeout, (seconds + EXTRA_SECONDS) * 1000) : timeout;
}

/** Replace each `{}` by an id, safe in a path. */
function pathOf(template: string, ids: readonly Id[]): string {
  const left = [...ids];
  return template.replace(/{}/g, () => {
    const id = String(left.shift() ?? "");
    if (["", ".", "..", "NaN"].includes(id)) throw new TypeError(`${JSON.stringify(id)} is no id`);
    return encodeURIComponent(id);
  });
}

/** Return the query string of the parameters that are set. */
function queryOf(given: object): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || value === null || (Array.isArray(value) && !value.length)) continue;
    query.set(name, value instanceof Date ? value.toISOString() : String(value)); // a list with commas
  }
  return query.size ? `?${query}` : "";
}

function formOf(file: NamedFile): FormData {
  const type = file.contentType ?? (file.content instanceof Blob ? file.content.type : "");
  const content = new Blob([file.content], { type: type || "application/octet-stream" });
  const form = new FormData();
  form.set("file", content, file.name || "file");
  return form;
}

function refusalOf(answer: Answer): Refusal {
  try {
    const found: unknown = JSON.parse(new TextDecoder().decode(answer.body));
    const refusal = (found as { error?: unknown }).error;
    return typeof refusal === "object" && refusal !== null ? refusal : {};
  } catch {
    return {};
  }
}

function whereTo(answer: Answer): string {
  const there = answer.headers.get("location") ?? "";
  return URL.canParse(there) ? new URL(there).origin : "another path";
}

function failureOf(error: unknown): ConnectionFailed {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const why = cause instanceof Error ? cause.message || code || cause.name : String(cause);
  return new ConnectionFailed(why, !NOT_SENT.has(code) && !CERTIFICATE.test(code), CERTIFICATE.test(code));
}
