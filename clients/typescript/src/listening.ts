/** A loop that gives each event of the desk to a program, at least once. */

import { Calls } from "./calls.js";
import { APIConnectionError, RateLimitedError, ServerError, UnreadableAnswerError } from "./errors.js";
import type { EventChoice, EventPage, LobbyEvent } from "./events.js";
import type { Options } from "./http.js";

/** Seconds between attempts: the last one from then on. */
const PAUSES = [0.5, 1, 2, 5, 10, 30];
/** Seconds a request waits for events. */
const WAIT = 25;
/** The most events that wait for one that failed; with as many, none are fetched. */
const MOST_WAITING = 1000;

export interface EventsQuery {
  /** `next` of the page before. Without it, events from now on are returned. */
  cursor?: string | undefined;
  /** Only these; `message.*` stands for all that begin so. */
  events?: readonly EventChoice[] | undefined;
  /** Only events of the account with this id, and those of no account. */
  account?: number | undefined;
  /** How many at most, up to 200. */
  limit?: number | undefined;
  /** Seconds to wait for an event if there is none yet, up to 25. */
  wait?: number | undefined;
}

/** Where a listener is. It can be written as JSON. */
export interface Position {
  /** The page that is being handled begins here. */
  cursor: string | null;
  /** Ids of the events of that page that were handled. */
  handled: string[];
  /** Events that wait for one that failed, with that; oldest first. */
  waiting: LobbyEvent[];
}

export interface ListenOptions {
  /** Where an earlier run was; without it, events from now on are handled. */
  position?: Position | null | undefined;
  /** Keeps the position. It is called after each event, and waited for. */
  save?: ((position: Position) => Promise<void> | void) | undefined;
  /** Only these; `message.*` stands for all that begin so. */
  events?: readonly EventChoice[] | undefined;
  /** Only events of the account with this id, and those of no account. */
  account?: number | undefined;
  /** Ends the loop; a handler that runs is waited for. */
  signal?: AbortSignal | undefined;
  /**
   * Whether other conversations go on when the handler fails. The later events of the same conversation wait
   * until the handler has taken the one that failed.
   */
  continueOthers?: boolean | undefined;
  /**
   * Is told of a handler that failed, and decides: `retry` (as without this) calls it again after a pause,
   * `skip` leaves the event out, and what it throws ends the loop.
   */
  onError?:
    | ((error: unknown, event: LobbyEvent, attempt: number) => Decision | Promise<Decision>)
    | undefined;
  /** Is told of a desk that does not answer; it is asked again after a pause. */
  onUnreachable?: ((error: Error, seconds: number) => void) | undefined;
}

export type Decision = "retry" | "skip";
export type Handler = (event: LobbyEvent) => Promise<void> | void;

/** Events for programs without a public address. */
export class EventsCalls extends Calls {
  /** Return the events after a position; without one, those from now on. */
  page(query: EventsQuery = {}, options: Options = {}): Promise<EventPage> {
    return this.http.json("GET", "/events", [], { query, options, wait: query.wait ?? 0 });
  }

  /** Yield pages of events as they happen, forever; `next` is the position after each. */
  async *pages(
    query: Omit<EventsQuery, "wait"> = {},
    options: Options = {},
  ): AsyncGenerator<EventPage, void> {
    let cursor = query.cursor;
    for (;;) {
      const page = await this.page({ ...query, cursor, wait: WAIT }, options);
      cursor = page.next;
      yield page;
    }
  }

  /**
   * Give each event to *handler*, one after the other and in their order, until `signal` is aborted.
   *
   * An event counts as handled when the handler returns; what it throws is retried. After a crash, an event
   * may be handled again: it has the same `id`.
   *
   * @throws LobbyError if the desk refuses, so that asking again would not help.
   */
  async listen(handler: Handler, options: ListenOptions = {}): Promise<void> {
    const { sleep } = this.http.settings;
    try {
      await new Listener((query, given) => this.page(query, given), handler, options, sleep).run();
    } catch (error) {
      if (!options.signal?.aborted || error !== options.signal.reason) throw error;
    }
  }
}

/** An event whose handler failed. */
interface Failed {
  attempts: number;
  /** When it is tried again, in milliseconds since 1970. */
  due: number;
}

class Listener {
  private readonly at: Position;
  /** By the id of the first waiting event of a conversation. */
  private readonly failed = new Map<string, Failed>();

  constructor(
    private readonly fetchPage: (query: EventsQuery, options: Options) => Promise<EventPage>,
    private readonly handler: Handler,
    private readonly options: ListenOptions,
    private readonly sleep: (milliseconds: number, signal?: AbortSignal) => Promise<void>,
  ) {
    const { cursor = null, handled = [], waiting = [] } = options.position ?? {};
    this.at = { cursor, handled: [...handled], waiting: [...waiting] };
  }

  async run(): Promise<void> {
    for (;;) {
      await this.turn();
    }
  }

  /** Handle what is due, and one page of events. */
  private async turn(): Promise<void> {
    await this.retry();
    if (this.at.waiting.length >= MOST_WAITING) {
      await this.sleep(this.secondsLeft() * 1000, this.options.signal);
      return;
    }
    const page = await this.page();
    const handled = new Set(this.at.handled);
    for (const event of page.data) {
      if (handled.has(event.id)) continue;
      if (this.at.waiting.some((earlier) => related(earlier, event))) this.at.waiting.push(event);
      else await this.handle(event);
      this.at.handled.push(event.id);
      await this.save();
    }
    this.at.cursor = page.next;
    this.at.handled = [];
    await this.save();
  }

  private async page(): Promise<EventPage> {
    const { events, account, signal } = this.options;
    const cursor = this.at.cursor ?? undefined;
    // The first answer comes at once: until its position is kept, a restart would begin anew.
    const wait = cursor === undefined ? 0 : Math.ceil(this.secondsLeft());
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.fetchPage({ cursor, events, account, limit: 200, wait }, { signal });
      } catch (error) {
        if (!isTemporary(error)) throw error;
        this.options.onUnreachable?.(error, pauseOf(attempt));
        await this.sleep(pauseOf(attempt) * 1000, signal);
      }
    }
  }

  /** Try the waiting events whose time has come, each after the earlier ones of its conversation. */
  private async retry(): Promise<void> {
    for (const event of [...this.at.waiting]) {
      const before = this.at.waiting.slice(0, this.at.waiting.indexOf(event));
      const failed = this.failed.get(event.id);
      if (before.some((earlier) => related(earlier, event)) || (failed && failed.due > Date.now())) continue;
      if (await this.attempt(event, failed?.attempts ?? 0)) {
        this.failed.delete(event.id);
        this.at.waiting.splice(this.at.waiting.indexOf(event), 1);
        await this.save();
      } else {
        this.put(event, (failed?.attempts ?? 0) + 1);
      }
    }
  }

  /** Handle a new event: until that succeeds, or let it wait. */
  private async handle(event: LobbyEvent): Promise<void> {
    for (let attempt = 0; !(await this.attempt(event, attempt)); attempt++) {
      if (this.options.continueOthers) {
        this.at.waiting.push(event);
        this.put(event, attempt + 1);
        return;
      }
      await this.sleep(pauseOf(attempt) * 1000, this.options.signal);
    }
  }

  /** Return whether the event is done with. */
  private async attempt(event: LobbyEvent, earlier: number): Promise<boolean> {
    this.options.signal?.throwIfAborted();
    try {
      await this.handler(event);
      return true;
    } catch (error) {
      return (await this.options.onError?.(error, event, earlier + 1)) === "skip";
    }
  }

  private put(event: LobbyEvent, attempts: number): void {
    this.failed.set(event.id, { attempts, due: Date.now() + pauseOf(attempts - 1) * 1000 });
  }

  /** Return the seconds until an event is tried again, at most those a request may wait. */
  private secondsLeft(): number {
    const dues = this.at.waiting
      .map((event) => this.failed.get(event.id)?.due)
      .filter((due) => due !== undefined);
    return Math.max(0, Math.min(WAIT, ...dues.map((due) => (due - Date.now()) / 1000)));
  }

  private async save(): Promise<void> {
    const { cursor, handled, waiting } = this.at;
    await this.options.save?.({ cursor, handled: [...handled], waiting: [...waiting] });
  }
}

/** Return whether two events are of one conversation. */
function related(one: LobbyEvent, other: LobbyEvent): boolean {
  const keys = new Set(keysOf(one));
  return keysOf(other).some((key) => keys.has(key));
}

/** Return what names an event's conversation: its id, and the customer on a channel, or only one of these. */
function keysOf(event: LobbyEvent): string[] {
  const data: { [name: string]: unknown } = { ...event.data };
  const keys = [];
  const id = event.event.startsWith("conversation.") ? data.id : data.conversationId;
  if (typeof id === "string" && id) keys.push(`conversation ${id}`);
  const customer = data.from ?? data.to;
  if (typeof customer === "string" && customer) keys.push(`customer ${String(data.channelId)} ${customer}`);
  return keys.length ? keys : [`event ${event.id}`];
}

function isTemporary(error: unknown): error is Error {
  return (
    error instanceof APIConnectionError ||
    error instanceof RateLimitedError ||
    error instanceof ServerError ||
    error instanceof UnreadableAnswerError
  );
}

function pauseOf(attempt: number): number {
  return PAUSES[Math.min(attempt, PAUSES.length - 1)] ?? 0;
}
