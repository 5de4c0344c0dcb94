/** Lines of equal height on a square of cells, by marching squares: pieces [x0, y0, x1, y1] in cells. */

/**
 * @param {Uint8Array} heights row by row
 * @param {number} size cells along a side
 * @param {number} level
 * @returns {number[][]}
 */
export function contour(heights, size, level) {
  const pieces = [];
  for (let row = 0; row < size - 1; row += 1) {
    for (let column = 0; column < size - 1; column += 1) {
      const at = row * size + column;
      const first = heights[at] > level;
      if (heights[at + 1] > level === first && heights[at + size] > level === first && heights[at + size + 1] > level === first) continue;
      const corners = [
        heights[row * size + column],
        heights[row * size + column + 1],
        heights[(row + 1) * size + column + 1],
        heights[(row + 1) * size + column],
      ];
      const crossed = [];
      for (let side = 0; side < 4; side += 1) {
        const [from, to] = [corners[side], corners[(side + 1) % 4]];
        if (from > level !== to > level) crossed.push(onSide(side, (level - from) / (to - from), column, row));
      }
      for (let i = 0; i + 1 < crossed.length; i += 2) pieces.push([...crossed[i], ...crossed[i + 1]]);
    }
  }
  return pieces;
}

function onSide(side, share, column, row) {
  const [x, y] = [column + 0.5, row + 0.5];
  if (side === 0) return [x + share, y];
  if (side === 1) return [x + 1, y + share];
  if (side === 2) return [x + 1 - share, y + 1];
  return [x, y + 1 - share];
}
