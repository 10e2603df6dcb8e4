/*
 * hostile/help.c - what --help says; see cmdline.h.
 */
#include <stdio.h>

#include "hostile/cmdline.h"

static const char usage[] =
    "Usage: sockjs-hostile --target HOST:PORT [OPTION]... [RULE]...\n"
    "A proxy that does what bad networks do, to test your clients and servers.\n"
    "\n"
    "  -t, --target HOST:PORT   the server behind it\n"
    "  -l, --listen ADDR        where clients come in (127.0.0.1:0: a free port)\n"
    "      --control ADDR       rules, log and connections by HTTP while it runs\n"
    "      --scenario FILE      rules, one a line; # begins a comment\n"
    "      --seed N             what is left to chance comes out the same again (1)\n"
    "      --anywhere           as a forward proxy, go to the host that is named, not to the "
    "target\n"
    "      --connections N      at a time, 1 to 60000 (1024)\n"
    "      --check              say whether the rules are right, then exit\n"
    "      --log-level LEVEL    debug, info, warn, error or silent (info)\n"
    "      --log-format FMT     text or json\n"
    "  -V, --version            print the version\n"
    "  -h, --help               print this\n"
    "\n"
    "When it is ready it says so in one line, with the ports:\n"
    "  listening on http://127.0.0.1:40001 for http://127.0.0.1:8080, control on "
    "http://127.0.0.1:40002\n";

static const char language[] =
    "\n"
    "A rule is [CONDITION...:] ACTION [CONDITION...]. Of two that say the same the first counts.\n"
    "\n"
    "Actions on a request:\n"
    "  STATUS                   answer it with that: 502 on xhr_streaming\n"
    "  hang                     never answer it: hang on /info\n"
    "  strip upgrade            take Upgrade off\n"
    "  http 1.0                 pass it on as HTTP/1.0\n"
    "  close-delimited          the response ends with the connection, not with a chunk\n"
    "  duplicate                send it twice, as a proxy that has lost patience\n"
    "  connect only PORT[, PORT] refuse CONNECT to others\n"
    "  set|add|remove request|response NAME [VALUE]\n"
    "                           change a header; $client is the client's address\n"
    "Actions on what flows, both ways or of the client or of the server alone:\n"
    "  black                    all octets are lost, and nobody is told\n"
    "  stall                    nothing passes, nothing is lost\n"
    "  drop [first|every N|frame N] [frames]   frames of WebSockets are lost\n"
    "  delay TIME [jitter TIME] each way\n"
    "  rate N                   octets a second\n"
    "  pieces N [every TIME]    writes of N octets\n"
    "  coalesce TIME            what comes within that time goes out together\n"
    "  hold [N]                 responses wait until there are N octets, or for their end\n"
    "  corrupt byte N           the octet at that place is another one\n"
    "  cut [fin|rst|silent]     end both connections, or forget them as a NAT does; reset: cut "
    "rst\n"
    "Of the address:\n"
    "  accept nothing           for a while: accept nothing for 5s\n";

static const char conditions[] =
    "\n"
    "Conditions:\n"
    "  on [METHOD] WHAT, ...    a transport (xhr_streaming, websocket, info...) or a path (/info, "
    "/echo/*)\n"
    "  connection 2 | 2-5 | every 3\n"
    "  after 10 [client|server] frames | 64KiB | 100 server bytes | 2 requests | 20s | 101 | open\n"
    "  age TIME, idle TIME      of the connection\n"
    "  at TIME, for TIME        since the rules were given; of so long a time\n"
    "  once, N times, P%        how often\n"
    "  client, server           what comes from there\n"
    "\n"
    "Examples:\n"
    "  sockjs-hostile -t 127.0.0.1:8080 'strip upgrade' 'hold'     a proxy that buffers\n"
    "  sockjs-hostile -t 127.0.0.1:8080 'after 10 frames: black'   a line that dies unnoticed\n"
    "  sockjs-hostile -t 127.0.0.1:8080 'cut idle 20s silent'      a NAT that forgets\n"
    "  sockjs-hostile -t 127.0.0.1:8080 'delay 400ms jitter 200ms' 'drop 1% of frames' --seed 7\n"
    "  sockjs-hostile -t 127.0.0.1:8080 --control 127.0.0.1:8090   and then:\n"
    "    curl -X PUT --data 'connection 1: cut after 5s' 127.0.0.1:8090/rules\n"
    "    curl 127.0.0.1:8090/log\n"
    "\n"
    "SIGTERM and SIGINT stop it. Exit status: 0 stopped as asked, 1 failed to start or while "
    "running,\n"
    "2 the command line or a rule is wrong. sockjs-hostile(1) has all of it.\n";

void cmdline_print_help(void)
{
	fputs(usage, stdout);
	fputs(language, stdout);
	fputs(conditions, stdout);
}
