import * as calls from "./generated/calls.js";
import type { Me } from "./generated/types.js";
import {
  Http,
  type Id,
  type Options,
  type PostOptions,
  type VersionedOptions,
  addressOf,
  sleep,
} from "./http.js";
import { InstagramCalls } from "./instagram.js";
import { EventsCalls } from "./listening.js";

/** The settings of a client. */
export interface LobbyOptions {
  /** `lobby_...`, from Settings, Integrations, API keys; default: LOBBY_API_KEY of the environment. */
  apiKey?: string | undefined;
  /** The address of the desk; default: LOBBY_URL of the environment. */
  url?: string | undefined;
  /** Milliseconds an attempt may wait for the desk; default: 30 000. */
  timeout?: number | undefined;
  /**
   * How often a call is tried again that was not answered, or asked to come back later; default: 4. It has one
   * idempotency key however often it is tried, so that nothing is sent twice.
   */
  maxRetries?: number | undefined;
  /** Send the key over http to another machine than this one. */
  allowHttp?: boolean | undefined;
  /** What makes requests; default: that of Node. */
  fetch?: typeof fetch | undefined;
  /** What waits between attempts; for tests. It rejects with the signal's reason when that is aborted. */
  sleep?: ((milliseconds: number, signal?: AbortSignal) => Promise<void>) | undefined;
  /** What is called once with a warning when the key expires within 14 days; default: `console.warn`. */
  warn?: ((text: string) => void) | undefined;
}

/** A response with its headers, such as `ETag`. */
export interface FullAnswer<T> {
  status: number;
  headers: Headers;
  data: T;
}

/**
 * A desk, accessed with an API key. Each group of calls is a property: `client.messages.send(...)`.
 *
 * Calls reject with the errors of this package.
 */
export class Lobby {
  readonly accounts: calls.AccountsCalls;
  readonly analytics: calls.AnalyticsCalls;
  readonly assistants: calls.AssistantsCalls;
  readonly attributes: calls.AttributesCalls;
  readonly cannedReplies: calls.CannedRepliesCalls;
  readonly contacts: calls.ContactsCalls;
  readonly conversations: calls.ConversationsCalls;
  readonly endpoints: calls.EndpointsCalls;
  readonly events: EventsCalls;
  readonly files: calls.FilesCalls;
  readonly hours: calls.HoursCalls;
  readonly instagram: InstagramCalls;
  readonly labels: calls.LabelsCalls;
  readonly macros: calls.MacrosCalls;
  readonly members: calls.MembersCalls;
  readonly messages: calls.MessagesCalls;
  readonly posts: calls.PostsCalls;
  readonly rules: calls.RulesCalls;
  readonly search: calls.SearchCalls;
  readonly sequences: calls.SequencesCalls;
  readonly teams: calls.TeamsCalls;
  readonly views: calls.ViewsCalls;
  readonly #http: Http;

  /** @throws TypeError for a key or an address that cannot be one. */
  constructor(options: LobbyOptions = {}) {
    const key = (options.apiKey ?? process.env.LOBBY_API_KEY ?? "").trim();
    if (!/^[!-~]+$/.test(key)) {
      throw new TypeError(
        "apiKey is missing, or holds what no key does; LOBBY_API_KEY is another way to give it",
      );
    }
    const url = options.url ?? process.env.LOBBY_URL ?? "";
    const http = new Http(addressOf(url, options.allowHttp ?? false), key, {
      timeout: options.timeout ?? 30_000,
      maxRetries: options.maxRetries ?? 4,
      fetch: options.fetch ?? fetch,
      sleep: options.sleep ?? sleep,
      warn: options.warn ?? ((text) => console.warn(text)),
    });
    this.#http = http;
    this.accounts = new calls.AccountsCalls(http);
    this.analytics = new calls.AnalyticsCalls(http);
    this.assistants = new calls.AssistantsCalls(http);
    this.attributes = new calls.AttributesCalls(http);
    this.cannedReplies = new calls.CannedRepliesCalls(http);
    this.contacts = new calls.ContactsCalls(http);
    this.conversations = new calls.ConversationsCalls(http);
    this.endpoints = new calls.EndpointsCalls(http);
    this.events = new EventsCalls(http);
    this.files = new calls.FilesCalls(http);
    this.hours = new calls.HoursCalls(http);
    this.instagram = new InstagramCalls(http);
    this.labels = new calls.LabelsCalls(http);
    this.macros = new calls.MacrosCalls(http);
    this.members = new calls.MembersCalls(http);
    this.messages = new calls.MessagesCalls(http);
    this.posts = new calls.PostsCalls(http);
    this.rules = new calls.RulesCalls(http);
    this.search = new calls.SearchCalls(http);
    this.sequences = new calls.SequencesCalls(http);
    this.teams = new calls.TeamsCalls(http);
    this.views = new calls.ViewsCalls(http);
  }

  /** Return who the key is: its name and workspace, what it may do and until when, and the version. */
  me(options: Options = {}): Promise<Me> {
    return this.#http.json("GET", "/me", [], { options });
  }

  /** Return the API's own description, as OpenAPI 3.1. */
  description(options: Options = {}): Promise<Record<string, unknown>> {
    return this.#http.json("GET", "/openapi.json", [], { options });
  }

  /**
   * Make any call of the API, and return its JSON with the headers of the response.
   *
   * @param path below `/api/v1`, with `{}` for each of *ids*.
   */
  async request<T = unknown>(
    method: string,
    path: string,
    given: {
      ids?: readonly Id[];
      query?: object;
      body?: unknown;
      options?: PostOptions & VersionedOptions;
    } = {},
  ): Promise<FullAnswer<T>> {
    const { ids = [], ...parts } = given;
    const { status, headers, body } = await this.#http.raw(method, path, ids, parts);
    const text = new TextDecoder().decode(body);
    return { status, headers, data: (text ? JSON.parse(text) : undefined) as T };
  }
}
