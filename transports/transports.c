/*
 * transports/transports.c - the list of all transports, the one place that names
 * them.
 */
#include "transports/transport.h"

/* websocket_raw is not here: its URL has no session. Nor is tcp, which has none. */
static const struct transport *const all[] = {
	&websocket_transport,
	&xhr_send_transport,
	&xhr_transport,
	&xhr_streaming_transport,
	&eventsource_transport,
	&htmlfile_transport,
	&jsonp_transport,
	&jsonp_send_transport,
};

const struct transport *transport_find(struct bytes name)
{
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (bytes_equal(name, bytes_of(all[i]->name)))
			return all[i];
	return NULL;
}
