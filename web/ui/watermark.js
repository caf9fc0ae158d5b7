// The viewer's id over the picture, where the server wants it seen. It is inside
// the stage, so it is there in full screen, too; where a browser would show the
// video alone, it may not.

import { meta } from './meta.js';

const $ = (id) => document.getElementById(id);

// watermark returns whether there is one.
export function watermark() {
  const viewer = meta('viewer');
  if (!viewer) return false;
  $('watermark-text').textContent = viewer;
  $('watermark').hidden = false;
  return true;
}
