// What the server tells its pages of how to publish: its ports, and what lets an encoder in.

import { meta } from './meta.js';

const { rtmp: plain, rtmps, needs = [] } = JSON.parse(meta('publishing'));

// needs are "key", "login", "token" and "webhook": any one of them lets an encoder in.
// Without any, its network does.
export { needs };

// open tells whether an encoder can come in at all.
export const open = Boolean(plain || rtmps);

// Where everything has TLS, so should publishing: a key can be read on the way.
const secure = rtmps && (location.protocol === 'https:' || !plain);

// address is where an encoder connects for an app, by the name that this browser used.
export function address(app, login = '') {
  const [scheme, port, usual] = secure ? ['rtmps', rtmps, 443] : ['rtmp', plain, 1935];
  return `${scheme}://${login}${location.hostname}${port === usual ? '' : `:${port}`}/${app}`;
}
