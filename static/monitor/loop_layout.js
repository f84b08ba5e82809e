// Positions of the parts of the loop, in pixels: a wide, a middle and a narrow layout.
// The ring is the same in all: workers → S → annotators → L → servers → g* → workers.

const ARROWS = {
  ask: ["unlabeled", "workers"],
  put: ["workers", "queries"],
  claim: ["queries", "annotators"],
  answer: ["annotators", "labeled"],
  follow: ["labeled", "servers"],
  publish: ["servers", "model"],
  take: ["model", "workers"],
};

export const LAYOUTS = [
  {
    name: "wide",
    from: 960,
    width: 1160,
    height: 350,
    parts: {
      unlabeled: [10, 10, 170, 160],
      workers: [255, 30, 180, 120],
      queries: [510, 10, 170, 160],
      annotators: [755, 30, 165, 120],
      labeled: [995, 10, 155, 160],
      servers: [755, 230, 165, 110],
      model: [255, 230, 180, 110],
    },
    sides: {
      ask: ["right", "left"], put: ["right", "left"], claim: ["right", "left"],
      answer: ["right", "left"], follow: ["bottom", "right"], publish: ["left", "right"],
      take: ["top", "bottom"],
    },
  },
  {
    name: "middle",
    from: 600,
    width: 740,
    height: 500,
    parts: {
      unlabeled: [5, 5, 180, 140],
      workers: [280, 15, 180, 120],
      queries: [555, 5, 180, 140],
      model: [280, 195, 180, 110],
      annotators: [555, 195, 180, 110],
      servers: [280, 370, 180, 110],
      labeled: [555, 355, 180, 140],
    },
    sides: {
      ask: ["right", "left"], put: ["right", "left"], claim: ["bottom", "top"],
      answer: ["bottom", "top"], follow: ["left", "right"], publish: ["top", "bottom"],
      take: ["top", "bottom"],
    },
  },
  {
    name: "narrow",
    from: 0,
    width: 350,
    height: 640,
    parts: {
      unlabeled: [2, 2, 150, 112],
      workers: [2, 164, 150, 108],
      queries: [198, 160, 150, 116],
      model: [2, 324, 150, 108],
      annotators: [198, 324, 150, 108],
      servers: [2, 496, 150, 108],
      labeled: [198, 492, 150, 116],
    },
    sides: {
      ask: ["bottom", "top"], put: ["right", "left"], claim: ["bottom", "top"],
      answer: ["bottom", "top"], follow: ["left", "right"], publish: ["top", "bottom"],
      take: ["top", "bottom"],
    },
  },
];

export const layoutFor = (width) => LAYOUTS.find((layout) => width >= layout.from);

// The arrows of a layout: {id, path, head (a triangle's points), label: [x, y, anchor]}.
export function arrowsOf(layout) {
  return Object.entries(ARROWS).map(([id, [from, to]]) => {
    const [leave, arrive] = layout.sides[id];
    const [x1, y1] = point(layout.parts[from], leave, 5);
    const [x2, y2] = point(layout.parts[to], arrive, 13);
    const straight = x1 === x2 || y1 === y2;
    const level = straight && y1 === y2;
    return {
      id,
      path: straight ? `M${x1} ${y1}L${x2} ${y2}` : `M${x1} ${y1}L${x1} ${y2}L${x2} ${y2}`,
      head: head(point(layout.parts[to], arrive, 3), arrive),
      label: straight && !level
        ? [x1 + 14, (y1 + y2) / 2 + 4, "start"]
        : [(x1 + x2) / 2, (straight ? y1 : y2) - 12, "middle"],
    };
  });
}

function point([x, y, width, height], side, gap) {
  return {
    left: [x - gap, y + height / 2],
    right: [x + width + gap, y + height / 2],
    top: [x + width / 2, y - gap],
    bottom: [x + width / 2, y + height + gap],
  }[side];
}

function head([x, y], arrives) {
  const [dx, dy] = { left: [-1, 0], right: [1, 0], top: [0, -1], bottom: [0, 1] }[arrives];
  const back = [x + 14 * dx, y + 14 * dy];
  return `${x},${y} ${back[0] + 8 * dy},${back[1] + 8 * dx} ${back[0] - 8 * dy},${back[1] - 8 * dx}`;
}
