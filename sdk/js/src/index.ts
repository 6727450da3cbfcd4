/** Click-to-call in a web page, or in Node.js 20 and later. */

export { DialStack, loadDialStack } from './client.js';
export type { Events, Handler, LoadOptions } from './client.js';
export { DialStackError } from './errors.js';
export type { ErrorCode } from './errors.js';
export { isDialable, tidyNumber, whyNotDialable } from './numbers.js';
export type { Calls, CallPage, CreateCall, CreatedCall, FollowOptions, ListCalls } from './calls.js';
export type { ClientSecret, FetchClientSecret } from './session.js';
export type { Reset } from './stream.js';
export type * from './records.js';
