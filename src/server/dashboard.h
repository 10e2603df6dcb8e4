/*
 * server/dashboard.h - the page for operators on the internal address, /dashboard/, and its feed:
 * an endpoint of our own that is there alone. For this folder.
 *
 *	dashboard.c          its endpoint, its time, the configuration that it goes by
 *	dashboard_watchers.c the feed: who watches, and what he is told each second
 *	dashboard_figures.c  the figures of all reactors, in a walk from one to the next
 *	dashboard_waits.c    how long the loops keep somebody waiting
 *	dashboard_crowd.c    which addresses have most sessions
 *	dashboard_history.c  the last ten minutes, for a page that has just been opened
 *	dashboard_text.c     all of that as JSON
 *	dashboard_pages.c    the files of the page, which are in the program
 *
 * All of it is of reactor 0, which has the internal address. Who watches costs one look at the
 * counters a second, however many watch and however many sessions there are; if nobody does, there
 * is a look every five seconds, for the history. Sessions and connections pay nothing.
 *
 * If somebody may give commands (operators.h) the feed is for him; if nobody may, everybody on the
 * address may watch what /metrics tells him as well.
 */
#ifndef SERVER_DASHBOARD_H
#define SERVER_DASHBOARD_H

#include <stdbool.h>

#include "base/bytes.h"

struct dashboard;
struct http_request;
struct reactor;
struct server_endpoint;

/* In reactor 0, as it begins: it works from now on, if there is an internal address and the option
 * internal.dashboard. Without memory it does not. */
void dashboard_start(struct reactor *reactor);
/* And no more. NULL is fine. */
void dashboard_stop(struct dashboard *d);
/* When no reactor is left. NULL is fine. */
void dashboard_free(struct dashboard *d);

/* The endpoint that a path of the internal address leads to, and what follows of it; NULL: none. */
struct server_endpoint *dashboard_feed(
    struct reactor *reactor, struct bytes path, struct bytes *rest);
/* Whether a path is of the page or its feed. */
bool dashboard_is_path(struct bytes path);
/* Answers a GET or HEAD of the page and its files; false (nothing answered): there is none such. */
bool dashboard_serve_page(struct reactor *reactor, struct http_request *r);

#endif
