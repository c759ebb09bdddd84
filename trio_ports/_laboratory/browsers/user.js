// The preferences of a throw-away profile, as Firefox reads them.
user_pref("marionette.port", 0);
// What extensions write to their console is printed too.
user_pref("devtools.console.stdout.content", true);
// A page that is left is gone, and its ports with it: the back/forward cache would keep both.
user_pref("fission.bfcacheInParent", false);
user_pref("browser.sessionhistory.max_total_viewers", 0);
// Timers of a tab that is not in front run as in the one that is.
user_pref("dom.min_background_timeout_value", 4);
user_pref("dom.min_background_timeout_value_without_budget_throttling", 4);
user_pref("dom.timeout.enable_budget_timer_throttling", false);
user_pref("extensions.background.idle.enabled", false);
// A socket of a page that was left counts as failed, and the next one would have to wait a second for it.
user_pref("network.websocket.delay-failed-reconnects", false);
// One process for all pages: a new tab need not wait for a new one.
user_pref("dom.ipc.processCount", 1);
user_pref("dom.ipc.processPrelaunch.enabled", true);
// Nothing leaves the machine.
user_pref("network.proxy.type", 0);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("network.dns.disablePrefetch", true);
user_pref("network.trr.mode", 5);
user_pref("services.settings.server", "http://127.0.0.1:9/");
user_pref("app.normandy.enabled", false);
user_pref("app.update.disabledForTesting", true);
user_pref("browser.safebrowsing.malware.enabled", false);
user_pref("browser.safebrowsing.phishing.enabled", false);
user_pref("browser.search.update", false);
user_pref("browser.topsites.contile.enabled", false);
user_pref("browser.newtabpage.enabled", false);
user_pref("browser.startup.page", 0);
user_pref("browser.startup.homepage_override.mstone", "ignore");
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.aboutwelcome.enabled", false);
user_pref("browser.tabs.warnOnClose", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("datareporting.healthreport.uploadEnabled", false);
user_pref("toolkit.telemetry.enabled", false);
user_pref("toolkit.telemetry.unified", false);
user_pref("toolkit.telemetry.server", "http://127.0.0.1:9/");
user_pref("extensions.update.enabled", false);
user_pref("extensions.getAddons.cache.enabled", false);
user_pref("extensions.systemAddon.update.enabled", false);
user_pref("geo.enabled", false);
user_pref("media.gmp-manager.updateEnabled", false);
