/*
 * networks/network_browser.c - families of browsers, by their marks; see network_browser.h.
 */
#include "networks/network_browser.h"

#include <string.h>

const char *network_browser_word(enum network_browser browser)
{
	static const char *const words[] = {
#define X(name, word) word,
		NETWORK_BROWSERS(X)
#undef X
	};

	return words[browser];
}

/* Each names those that it would be taken for besides, so the order counts. */
static const struct {
	const char *mark;
	enum network_browser browser;
} marks[] = {
	{ "Edg/", NETWORK_BROWSER_EDGE },
	{ "EdgA/", NETWORK_BROWSER_EDGE },
	{ "EdgiOS/", NETWORK_BROWSER_EDGE },
	{ "Edge/", NETWORK_BROWSER_EDGE },
	{ "Firefox/", NETWORK_BROWSER_FIREFOX },
	{ "FxiOS/", NETWORK_BROWSER_FIREFOX },
	{ "Chrome/", NETWORK_BROWSER_CHROME },
	{ "Chromium/", NETWORK_BROWSER_CHROME },
	{ "CriOS/", NETWORK_BROWSER_CHROME },
	{ "AppleWebKit/", NETWORK_BROWSER_SAFARI },
};

enum network_browser network_browser(struct bytes agent)
{
	if (!bytes_begin(agent, "Mozilla/"))
		return NETWORK_BROWSER_OTHER;
	for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++)
		if (memmem(agent.p, agent.n, marks[i].mark, strlen(marks[i].mark)))
			return marks[i].browser;
	return NETWORK_BROWSER_OTHER;
}
