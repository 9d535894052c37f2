/** The version of this package. */
export const VERSION = "1.0.0";

/** The dated version of the API that the client is written for, sent as `Lobby-Version`. */
export const API_VERSION = "2026-11-27";
