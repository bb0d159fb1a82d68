import { Link, Outlet, useRouter, useSearch } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import { useCommands } from "@/commands/commands";
import { useFollowed } from "@/components/bulk/pending";
import { Brand, Icon } from "@/components/Icon";
import { Menu } from "@/components/Menu";
import { Help } from "./Help";
import { Login } from "./Login";
import { type MenuItem, useMenu } from "./menu";
import { openOverlay, useOverlay } from "./overlays";
import { Palette } from "./Palette";
import { nextChoice, usePreferences } from "./preferences";
import { SystemHealth } from "./SystemHealth";
import { useSession } from "./useSession";
import { LogOutCommand, WhoAmI } from "./WhoAmI";
import "./shell.css";

const BulkRuns = lazy(() =>
  import("@/components/bulk/BulkRuns").then(({ BulkRuns: found }) => ({ default: found })),
);

/** The page: the views for whoever is let in, and the login for everybody else. */
export function Shell() {
  const { whyOut, isKnown, wasIn } = useSession();
  return (
    <>
      {(whyOut === null || wasIn) && <Views isKnown={isKnown} />}
      {whyOut !== null && <Login why={whyOut} hasView={wasIn} />}
    </>
  );
}

/** What stands around every view: the menu, the palette, the help. */
function Views({ isKnown }: { isKnown: boolean }) {
  const menu = useMenu();
  const overlay = useOverlay();
  const router = useRouter();
  useCommands([
    {
      label: "Find or do",
      key: "mod+k",
      keyOnly: true,
      run: () => {
        openOverlay("palette");
      },
    },
    {
      label: "All keys",
      key: "?",
      run: () => {
        openOverlay("help");
      },
    },
    {
      label: "Change the theme: system, light, dark",
      run: () => {
        nextChoice("theme");
      },
    },
    {
      label: "Change the density of rows",
      run: () => {
        nextChoice("density");
      },
    },
    ...menu.map(({ label, letter, path }) => ({
      label: `Go to ${label}`,
      key: `g ${letter}`,
      run: () => void router.navigate({ to: path }),
    })),
  ]);
  return (
    <div className={isKnown ? "app" : "app is-unknown"}>
      <LogOutCommand />
      <a className="skip btn" href="#content" onClick={skipToContent}>
        Skip the menu
      </a>
      <Patterns />
      <SideMenu menu={menu} />
      <div className="main">
        <Outlet />
      </div>
      <PhoneTabs menu={menu} />
      <BulkRunsOfTab />
      {overlay === "palette" && (
        <Palette
          onClose={() => {
            openOverlay(null);
          }}
        />
      )}
      {overlay === "help" && (
        <Help
          onClose={() => {
            openOverlay(null);
          }}
        />
      )}
    </div>
  );
}

/** The bulk runs of this tab, and the one that the URL names. Their code is loaded where there is one. */
function BulkRunsOfTab() {
  const { bulk } = useSearch({ strict: false });
  const areSome = useFollowed().length > 0 || bulk !== undefined;
  return (
    areSome && (
      <Suspense>
        <BulkRuns />
      </Suspense>
    )
  );
}

/** By hand: <base href> would make another page of `#content`. */
function skipToContent(event: { preventDefault: () => void }): void {
  event.preventDefault();
  document.getElementById("content")?.focus();
}

function SideMenu({ menu }: { menu: readonly MenuItem[] }) {
  const { theme, density } = usePreferences();
  return (
    <nav className="nav" aria-label="Views">
      <div className="brand">
        <Brand />
        jobtracker
      </div>
      {menu
        .filter((item) => item.group === "work")
        .map((item) => (
          <MenuLink key={item.path} item={item} />
        ))}
      <hr />
      {menu
        .filter((item) => item.group === "system")
        .map((item) => (
          <MenuLink key={item.path} item={item} />
        ))}
      <div className="foot">
        <WhoAmI />
        <SystemHealth />
        <button
          type="button"
          onClick={() => {
            nextChoice("theme");
          }}
        >
          <Icon name="sun" size={12} />
          Theme: {theme}
        </button>
        <button
          type="button"
          onClick={() => {
            nextChoice("density");
          }}
        >
          <Icon name="list" size={12} />
          Rows: {density}
        </button>
        <button
          type="button"
          onClick={() => {
            openOverlay("help");
          }}
        >
          <kbd>?</kbd> all keys
        </button>
      </div>
    </nav>
  );
}

function MenuLink({ item: { path, label, icon, Count } }: { item: MenuItem }) {
  return (
    <Link to={path} className="n" activeOptions={{ exact: path === "/" }}>
      <Icon name={icon} />
      {label}
      {Count && <Count />}
    </Link>
  );
}

/** How many views have a tab of their own on a phone; the others are under More. */
const TABS = 4;

function PhoneTabs({ menu }: { menu: readonly MenuItem[] }) {
  return (
    <nav className="tabs-phone" aria-label="Views">
      {menu.slice(0, TABS).map(({ path, label, icon }) => (
        <Link key={path} to={path} activeOptions={{ exact: path === "/" }}>
          <Icon name={icon} />
          {label}
        </Link>
      ))}
      <Menu
        label="More views"
        buttonClass="tab"
        button={
          <>
            <Icon name="more" />
            More
          </>
        }
      >
        {menu.slice(TABS).map((item) => (
          <MenuLink key={item.path} item={item} />
        ))}
        <button
          type="button"
          className="opt"
          onClick={() => {
            openOverlay("palette");
          }}
        >
          <Icon name="search" /> Find or do
        </button>
        <button
          type="button"
          className="opt"
          onClick={() => {
            nextChoice("theme");
          }}
        >
          <Icon name="sun" /> Theme
        </button>
        <WhoAmI buttonClass="opt" />
      </Menu>
    </nav>
  );
}

/** The fills of charts, by which statuses differ in more than colour (`.f-retrying`, …). */
function Patterns() {
  return (
    <svg width="0" height="0" className="patterns" aria-hidden="true">
      <defs>
        <pattern
          id="p-retrying"
          width="5"
          height="5"
          patternUnits="userSpaceOnUse"
          patternTransform="rotate(45)"
        >
          <rect width="5" height="5" fill="var(--retrying-tint)" />
          <rect width="2.6" height="5" fill="var(--retrying-mark)" />
        </pattern>
        <pattern id="p-cancelled" width="4" height="4" patternUnits="userSpaceOnUse">
          <rect width="4" height="4" fill="var(--cancelled-tint)" />
          <rect width="4" height="1.8" fill="var(--cancelled-mark)" />
        </pattern>
        <pattern id="p-running" width="9" height="10" patternUnits="userSpaceOnUse">
          <rect width="9" height="10" fill="var(--running-mark)" />
          <path d="M2 0 6 5 2 10" fill="none" stroke="var(--surface)" strokeOpacity=".55" strokeWidth="1.2" />
        </pattern>
        <pattern id="p-failed" width="6" height="6" patternUnits="userSpaceOnUse">
          <rect width="6" height="6" fill="var(--failed-mark)" />
          <path d="M0 0 6 6M6 0 0 6" fill="none" stroke="var(--surface)" strokeOpacity=".6" strokeWidth="1" />
        </pattern>
        <pattern id="p-wait" width="4" height="4" patternUnits="userSpaceOnUse">
          <rect x="0" y="1.6" width="1.6" height="1.4" fill="var(--control)" />
        </pattern>
      </defs>
    </svg>
  );
}
