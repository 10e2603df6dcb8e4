/*
 * server/api_networks.h - what the files of `networks` share: one network of one endpoint, as it was
 * copied, and as it is told. For this folder.
 */
#ifndef SERVER_API_NETWORKS_H
#define SERVER_API_NETWORKS_H

#include "server/server_private.h"

#define NETWORK_KEY_MAX QUOTA_KEY_MAX

struct network_row {
	const struct server_endpoint *endpoint; /* whoever has the row holds it */
	float trouble;                          /* what has failed of late */
	uint8_t key_len;
	char key[NETWORK_KEY_MAX];
	struct network scores;
	struct network_story stories[NETWORK_BROWSER_ROWS];
};

void network_row_take(struct network_row *row, const struct server_endpoint *ep,
    const struct network_view *view);
float network_trouble(const struct network *scores);
/* Appends it as JSON; in a reactor. 0 or -ENOMEM. */
int network_row_print(const struct network_row *row, struct buf *out);

#endif
