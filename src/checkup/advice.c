/*
 * checkup/advice.c - what can be done about each cause: for who sits in the network, and for who runs
 * it; see advice.h.
 */
#include "checkup/advice.h"

struct advice {
	const char *for_user, *for_administrator;
};

/* clang-format off: texts are easier to read than their columns */
static const struct advice advices[CAUSE_COUNT] = {
	[CAUSE_UNREACHABLE] = {
	    "Your network does not reach this server at all: check the address, and whether a proxy "
	    "is needed (--proxy).",
	    "Is the server running and listening there, and does a firewall let its port through?",
	},
	[CAUSE_INFO_UNREACHABLE] = {
	    "The server is there, but its service does not answer: SockJS clients give up. Check "
	    "the path of the address.",
	    "GET PREFIX/info must be answered quickly, and reach the gateway: check the path that "
	    "the proxy passes on, and that nothing caches or blocks it.",
	},
	[CAUSE_ORIGIN_REWRITTEN] = {
	    "The server takes you for a page of another site, since something on the way changes "
	    "what your browser says. Only the operator can help.",
	    "A proxy changes Host or Origin: let it pass Host on (nginx: proxy_set_header Host "
	    "$http_host), list it in trusted_proxies, or name the site in allowed_origins.",
	},
	[CAUSE_POST_REFUSED] = {
	    "Your network lets messages come in, but none go out. Ask its administrator, or use "
	    "another network.",
	    "POST requests to this server are refused on the way: allow them (xhr, xhr_streaming, "
	    "xhr_send), or let WebSockets through.",
	},
	[CAUSE_WEBSOCKET_BLACK] = {
	    "WebSockets open on your network, and then fall silent without a word. Ask its "
	    "administrator, or use another network.",
	    "Something inspects WebSockets and stops passing them on: exempt this host from "
	    "inspection, or refuse Upgrade (403), so that clients fall back at once. On the "
	    "gateway: websocket.prove, and a shorter heartbeat.",
	},
	[CAUSE_WEBSOCKET_ONE_WAY] = {
	    "What you send by WebSocket gets lost on your network. Ask its administrator, or use "
	    "another network.",
	    "Frames of clients are dropped between here and the server: exempt this host from "
	    "inspection, or refuse Upgrade (403). On the gateway: websocket.prove.",
	},
	[CAUSE_IDLE_SILENT] = {
	    "Connections that are quiet are forgotten by your network. They come back if you reload "
	    "the page.",
	    "A NAT or firewall forgets quiet connections without a word: raise its time-out, or let "
	    "the gateway say something more often (heartbeat_delay_ms and "
	    "websocket.ping_interval_ms below the shortest silence that was cut).",
	},
	[CAUSE_CUT_BY_OCTETS] = {
	    "Your network ends connections after some traffic; the page has to connect again, and "
	    "messages may get lost.",
	    "A proxy ends connections after a number of octets: raise that limit. On the gateway: a "
	    "response_limit_bytes below it.",
	},
	[CAUSE_CUT_BY_AGE] = {
	    "Your network ends connections after some time; the page has to connect again, and "
	    "messages may get lost.",
	    "A proxy ends connections at an age, whatever passes: raise that limit (tunnel or "
	    "session time-out).",
	},
	[CAUSE_IDLE_CUT] = {
	    "Connections that are quiet are ended by your network, and come again.",
	    "A proxy's read or tunnel time-out is shorter than the gateway's heartbeat: raise it, "
	    "or lower heartbeat_delay_ms and websocket.ping_interval_ms below it.",
	},
	[CAUSE_WEBSOCKET_SILENT] = {
	    "WebSockets open on your network, but nothing comes through them; another way is found "
	    "after a time-out, so the start is slow.",
	    "A proxy answers 101 and passes no frames on: let it tunnel WebSockets, or refuse "
	    "Upgrade (403), so that clients fall back at once.",
	},
	[CAUSE_STREAMS_HELD] = {
	    "Your network collects what the server says before it lets it through, so only "
	    "WebSocket or polling work well; the start may be slow.",
	    "A proxy buffers responses: switch that off for this path (nginx: proxy_buffering off, "
	    "and do not ignore X-Accel-Buffering; no gzip, no scan of whole bodies), or let "
	    "WebSockets through.",
	},
	[CAUSE_STREAMS_LATE] = {
	    "All works, but each message comes a fifth of a second late.",
	    "A proxy waits for more before it sends a chunk on: HAProxy wants `option "
	    "http-no-delay`; or let WebSockets through.",
	},
	[CAUSE_UPGRADE_HANGS] = {
	    "Your network lets attempts at WebSocket hang; another way is found after a time-out, "
	    "so the start is slow.",
	    "A proxy never answers a request with Upgrade: let it pass, or refuse it (403), so that "
	    "clients fall back at once.",
	},
	[CAUSE_UPGRADE_REFUSED] = {
	    "WebSocket is not possible on your network; everything works by streams or polling "
	    "instead. There is nothing to do.",
	    "A proxy takes Upgrade off or refuses it: pass it on (nginx: proxy_http_version 1.1 and "
	    "the headers Upgrade and Connection; a forward proxy: CONNECT to this port), for less "
	    "latency and load.",
	},
	[CAUSE_SESSIONS_LOST] = {
	    "The service has several servers that do not know of each other's sessions. Only the "
	    "operator can help.",
	    "What a client sends reaches another gateway than the one that has its session: let the "
	    "balancer be sticky, or let the gateways share sessions (engine).",
	},
	[CAUSE_STREAMS_REFUSED] = {
	    "Some ways to connect are blocked on your network, but others work. There is nothing to "
	    "do.",
	    "Requests of some transports are refused on the way, while others pass: see the table "
	    "for which.",
	},
	[CAUSE_FAR] = {
	    "All works, but the line to the server is long: each answer takes a while.",
	    "A round trip takes 400 ms or more: a gateway nearer to these users helps, and so does "
	    "TLS 1.3 with resumption and connections that are kept.",
	},
	[CAUSE_UNCLEAR] = {
	    "The server is there, but this test gets nowhere with its service; that need not be the "
	    "network's fault.",
	    "No transport has brought an answer: does the application close sessions by itself, or "
	    "want a login? Try an endpoint with the application \"doctor\" or \"echo\".",
	},
	[CAUSE_OK] = {
	    "Everything works.",
	    "Nothing to do: every transport works.",
	},
};
/* clang-format on */

/* Who has a WebSocket does not feel what streams suffer. */
const char *advice_for_user(enum cause cause, int best)
{
	if ((cause == CAUSE_STREAMS_HELD || cause == CAUSE_STREAMS_LATE) && best == WAY_WEBSOCKET)
		return "Nothing to do: your connection works by WebSocket. Older programs that cannot use "
		       "it would be slow on your network.";
	return advices[cause].for_user;
}

const char *advice_for_administrator(enum cause cause)
{
	return advices[cause].for_administrator;
}
