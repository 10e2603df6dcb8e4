/*
 * networks/network_browser.h - which sort of program a client is, by what it calls itself
 * (User-Agent): a handful of families, for the operator to see whether it is the network or the
 * browser. What strangers write there chooses among these, and nothing more.
 */
#ifndef NETWORKS_NETWORK_BROWSER_H
#define NETWORKS_NETWORK_BROWSER_H

#include "base/bytes.h"

/* At most eight. X(NAME, word) */
#define NETWORK_BROWSERS(X)                                                                        \
	X(OTHER, "other")                                                                          \
	X(CHROME, "chrome") /* and what is made of it */                                           \
	X(FIREFOX, "firefox")                                                                      \
	X(SAFARI, "safari") /* and what is in applications for iOS */                              \
	X(EDGE, "edge")

enum network_browser {
#define X(name, word) NETWORK_BROWSER_##name,
	NETWORK_BROWSERS(X)
#undef X
	    NETWORK_BROWSER_ROWS
};

const char *network_browser_word(enum network_browser browser);
enum network_browser network_browser(struct bytes agent);

#endif
