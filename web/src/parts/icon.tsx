// Small pictures drawn by lines. They never stand alone: words say the same.
const PATHS = {
  pulse: "M2 12h4l3-8 5 16 3-8h5",
  list: "M8 6h13M8 12h13M8 18h13M3.5 6h.01M3.5 12h.01M3.5 18h.01",
  check: "M4 12.5l5 5L20 6.5",
  alert: "M12 3.5l9.5 16.5h-19zM12 10v4.5M12 17.4v.1",
  cross: "M6 6l12 12M18 6L6 18",
  pause: "M8 5v14M16 5v14",
  sun: "M12 8a4 4 0 100 8 4 4 0 000-8zM12 2v2M12 20v2M4.9 4.9l1.4 1.4M17.7 17.7l1.4 1.4M2 12h2M20 12h2M4.9 19.1l1.4-1.4M17.7 6.3l1.4-1.4",
  moon: "M20 14.5A8.5 8.5 0 019.5 4 8.5 8.5 0 1020 14.5z",
  half: "M12 3a9 9 0 100 18 9 9 0 000-18zM12 3v18",
  keys: "M3 6h18v12H3zM7 10h.01M11 10h.01M15 10h.01M7.5 14h9",
  out: "M10 4H5v16h5M15 8l4 4-4 4M19 12H9",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  back: "M15 5l-7 7 7 7",
  lanes: "M4 4v16M20 4v16M12 4v3M12 10.500v3M12 17v3",
  parcel: "M12 3l8 4v10l-8 4-8-4V7zM4 7l8 4 8-4M12 11v10",
  layers: "M12 3l9 5-9 5-9-5zM3 13l9 5 9-5",
  coins: "M12 4c4.4 0 8 1.3 8 3s-3.6 3-8 3-8-1.3-8-3 3.6-3 8-3zM4 7v10c0 1.7 3.6 3 8 3s8-1.3 8-3V7M4 12c0 1.7 3.6 3 8 3s8-1.3 8-3",
  key: "M15 4a5 5 0 11-4.6 7L4 17.5V20h3v-2h2v-2h2l1.2-1.2M16 8h.01",
  play: "M7 4.5v15l12-7.5z",
  server: "M4 4h16v6H4zM4 14h16v6H4zM8 7h.01M8 17h.01",
  sliders: "M4 7h9M17 7h3M4 17h3M11 17h9M15 5v4M9 15v4",
  database: "M12 3c4.4 0 8 1.1 8 2.5S16.4 8 12 8 4 6.900 4 5.500 7.600 3 12 3zM4 5.500v13C4 19.900 7.600 21 12 21s8-1.100 8-2.500v-13",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg className="icon" width={size} height={size} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
