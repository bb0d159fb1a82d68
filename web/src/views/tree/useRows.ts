/** What the rows of the waterfall ask of the window: how high they are, and what the wheel does. */
import { type RefObject, useEffect, useRef, useState } from "react";
import { usePreferences } from "@/shell/preferences";

const ROW_PX: Readonly<Record<string, number>> = { compact: 20, comfortable: 28 };
const USUAL_ROW_PX = 24;
/** On phones a row has two lines: the bars stand below the name. */
export const PHONE_ROW_PX = 46;
export const PHONE_PLOT_PX = 20;
const PHONE = "(width < 720px)";
const WHEEL_ZOOM = 1.2;

/** How high a row is, in pixels. */
export function useRowHeight(): number {
  const { density } = usePreferences();
  const [isPhone, setPhone] = useState(() => window.matchMedia(PHONE).matches);
  useEffect(() => {
    const query = window.matchMedia(PHONE);
    const change = () => {
      setPhone(query.matches);
    };
    query.addEventListener("change", change);
    return () => {
      query.removeEventListener("change", change);
    };
  }, []);
  return isPhone ? PHONE_ROW_PX : (ROW_PX[density] ?? USUAL_ROW_PX);
}

/** Ctrl with the wheel zooms around the pointer; a sideways wheel, or one with shift, moves the axis. */
export function useWheel(
  body: RefObject<HTMLDivElement | null>,
  onZoom: (share: number, factor: number) => void,
  onMove: (share: number) => void,
): void {
  const handlers = useRef({ onZoom, onMove });
  useEffect(() => {
    handlers.current = { onZoom, onMove };
  });
  useEffect(() => {
    const element = body.current;
    if (!element) return;
    const onWheel = (event: WheelEvent) => {
      const cell = (event.target as HTMLElement).closest(".wf");
      if (!cell) return;
      const box = cell.getBoundingClientRect();
      const sideways = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
      if (event.ctrlKey || event.metaKey)
        handlers.current.onZoom(
          (event.clientX - box.left) / box.width,
          event.deltaY > 0 ? WHEEL_ZOOM : 1 / WHEEL_ZOOM,
        );
      else if (Math.abs(sideways) > Math.abs(event.shiftKey ? 0 : event.deltaY))
        handlers.current.onMove(sideways / box.width);
      else return;
      event.preventDefault();
    };
    element.addEventListener("wheel", onWheel, { passive: false });
    return () => {
      element.removeEventListener("wheel", onWheel);
    };
  }, [body]);
}
