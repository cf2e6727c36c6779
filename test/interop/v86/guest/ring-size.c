// Sizes of a network card's receive and transmit rings: `ring-size eth0` says them, `ring-size eth0 64 32` sets them.
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

int main(int count, char **words)
{
	struct ethtool_ringparam sizes = {.cmd = ETHTOOL_GRINGPARAM};
	struct ifreq request = {.ifr_data = (void *)&sizes};
	int socket_ = socket(AF_INET, SOCK_DGRAM, 0);

	if (count != 2 && count != 4) {
		fprintf(stderr, "usage: ring-size CARD [RECEIVE TRANSMIT]\n");
		return 2;
	}
	strncpy(request.ifr_name, words[1], IFNAMSIZ - 1);
	if (socket_ < 0 || ioctl(socket_, SIOCETHTOOL, &request) < 0) {
		perror(words[1]);
		return 1;
	}
	if (count == 4) {
		sizes.cmd = ETHTOOL_SRINGPARAM;
		sizes.rx_pending = strtoul(words[2], NULL, 0);
		sizes.tx_pending = strtoul(words[3], NULL, 0);
		if (ioctl(socket_, SIOCETHTOOL, &request) < 0) {
			perror("set");
			return 1;
		}
	}
	printf("%u %u of %u %u\n", sizes.rx_pending, sizes.tx_pending, sizes.rx_max_pending, sizes.tx_max_pending);
	return 0;
}
