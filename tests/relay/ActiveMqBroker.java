/*
 * ActiveMqBroker.java - an ActiveMQ for tests/relay/brokers.mjs: nothing is kept on disk unless that is asked for, no
 * JMX, and what the properties of its one argument, a file, say:
 *
 *	data                 a folder
 *	connector.N          an address such as stomp://127.0.0.1:61613
 *	user.NAME            the passcode, a blank, its groups
 *	anonymous            a group, if who does not log in is let in
 *	allow.N              topic|queue PATTERN READERS WRITERS ADMINS, groups with commas between, or - for nobody
 *	memory               octets for messages
 *	persistent, advisory, flow_control
 */
import java.io.FileReader;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;
import org.apache.activemq.broker.BrokerPlugin;
import org.apache.activemq.broker.BrokerService;
import org.apache.activemq.broker.region.policy.PolicyEntry;
import org.apache.activemq.broker.region.policy.PolicyMap;
import org.apache.activemq.filter.DestinationMapEntry;
import org.apache.activemq.security.AuthenticationUser;
import org.apache.activemq.security.AuthorizationEntry;
import org.apache.activemq.security.AuthorizationPlugin;
import org.apache.activemq.security.DefaultAuthorizationMap;
import org.apache.activemq.security.SimpleAuthenticationPlugin;

public class ActiveMqBroker {
	private static final Properties told = new Properties();

	private static Set<String> names(String prefix) {
		Set<String> found = new TreeSet<>();

		for (String name : told.stringPropertyNames())
			if (name.startsWith(prefix))
				found.add(name);
		return found;
	}

	private static BrokerPlugin authentication() {
		List<AuthenticationUser> users = new ArrayList<>();
		SimpleAuthenticationPlugin plugin = new SimpleAuthenticationPlugin();

		for (String name : names("user.")) {
			String[] words = told.getProperty(name).split(" ");
			users.add(new AuthenticationUser(name.substring("user.".length()), words[0], words.length > 1 ? words[1] : ""));
		}
		plugin.setUsers(users);
		plugin.setAnonymousAccessAllowed(told.containsKey("anonymous"));
		plugin.setAnonymousGroup(told.getProperty("anonymous", ""));
		return plugin;
	}

	private static String groups(String word) {
		return word.equals("-") ? "nobody-at-all" : word;
	}

	@SuppressWarnings("rawtypes")
	private static BrokerPlugin authorization() throws Exception {
		List<DestinationMapEntry> entries = new ArrayList<>();

		for (String name : names("allow.")) {
			String[] words = told.getProperty(name).split(" ");
			AuthorizationEntry entry = new AuthorizationEntry();

			if (words[0].equals("topic"))
				entry.setTopic(words[1]);
			else
				entry.setQueue(words[1]);
			entry.setRead(groups(words[2]));
			entry.setWrite(groups(words[3]));
			entry.setAdmin(groups(words[4]));
			entries.add(entry);
		}
		DefaultAuthorizationMap map = new DefaultAuthorizationMap(entries);
		return new AuthorizationPlugin(map);
	}

	private static PolicyMap policy() {
		PolicyEntry entry = new PolicyEntry();
		PolicyMap map = new PolicyMap();

		entry.setProducerFlowControl(told.getProperty("flow_control", "true").equals("true"));
		map.setDefaultEntry(entry);
		return map;
	}

	public static void main(String[] args) throws Exception {
		BrokerService broker = new BrokerService();
		List<BrokerPlugin> plugins = new ArrayList<>();

		try (FileReader file = new FileReader(args[0])) {
			told.load(file);
		}
		broker.setBrokerName("localhost");
		broker.setPersistent(told.getProperty("persistent", "false").equals("true"));
		broker.setUseJmx(false);
		broker.setDataDirectory(told.getProperty("data"));
		broker.setAdvisorySupport(told.getProperty("advisory", "true").equals("true"));
		broker.setDestinationPolicy(policy());
		broker.getSystemUsage().getMemoryUsage().setLimit(Long.parseLong(told.getProperty("memory", "67108864")));
		broker.getSystemUsage().getTempUsage().setLimit(1L << 28);
		broker.getSystemUsage().getStoreUsage().setLimit(1L << 28);
		if (!names("user.").isEmpty())
			plugins.add(authentication());
		if (!names("allow.").isEmpty())
			plugins.add(authorization());
		broker.setPlugins(plugins.toArray(new BrokerPlugin[0]));
		for (String name : names("connector."))
			broker.addConnector(told.getProperty(name));
		broker.start();
		broker.waitUntilStarted();
		System.out.println("ready");
		broker.waitUntilStopped();
	}
}
