/*
 * networks/network_client.h - who a client is, as far as his request tells.
 */
#ifndef NETWORKS_NETWORK_CLIENT_H
#define NETWORKS_NETWORK_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "net/addr.h"
#include "networks/network_browser.h"

/* Who somebody is; 24 octets, so that a session can have it. The two are hashes. Who has no server
 * number in his URL, or 000, is a bare WebSocket or a program without the library of SockJS, and
 * falls back to nothing else: of him nothing is learned but how long silences may be, and only that
 * is applied to him. */
struct network_client {
	struct addr address;
	uint16_t agent;  /* its three highest bits are the browser's, which is no hash */
	uint16_t number; /* the server number of the URL; 0: none that says anything */
};
/* Whether a server number says that its client has the library of SockJS. */
bool network_number_tells(struct bytes number);
struct network_client network_client(
    const struct addr *address, struct bytes agent, struct bytes number);
enum network_browser network_client_browser(const struct network_client *client);

#endif
