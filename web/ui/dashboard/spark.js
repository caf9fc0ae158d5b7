// A line of the last minutes, without axes.

import { svg } from './dom.js';

const width = 100;
const height = 28;

// spark is a drawing to put somewhere once, and to change by its draw.
export function spark(points) {
  const area = svg('path', { class: 'area' });
  const line = svg('path', { class: 'line', 'vector-effect': 'non-scaling-stroke' });
  const drawing = svg('svg', { class: 'spark', viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' }, area, line);
  return {
    drawing,
    // Zero is the floor, so that a steady line is a flat one and not magnified noise.
    draw(values) {
      const top = Math.max(...values, 1e-9) * 1.2;
      const at = values.map((value, i) => `${(width - ((values.length - 1 - i) * width) / (points - 1)).toFixed(2)} ${(height - 1 - (value / top) * (height - 2)).toFixed(2)}`);
      const from = width - ((values.length - 1) * width) / (points - 1);
      line.setAttribute('d', at.length > 1 ? `M${at.join('L')}` : '');
      area.setAttribute('d', at.length > 1 ? `M${from.toFixed(2)} ${height}L${at.join('L')}L${width} ${height}Z` : '');
    },
  };
}
