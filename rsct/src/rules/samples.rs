//! Sample output of iptables and nft.

/// Output of `iptables -w 5 -t raw -S` of iptables 1.8.9 on Linux 6.18.
pub(crate) const IPTABLES: &str = r#"-P PREROUTING ACCEPT
-P OUTPUT ACCEPT
-N mine
-A PREROUTING -p icmp -m comment --comment "rsct timeout pi" -j CT --timeout pi
-A PREROUTING -p esp -j CT --timeout pg
-A PREROUTING -s 10.0.0.0/8 -p sctp -m sctp --dport 5:7 -j CT --timeout psct
-A mine ! -s 10.0.0.0/8 -o lo -p udp -m udp --dport 5:7 -j CT --notrack --timeout pu
-A OUTPUT -s 10.1.2.3/32 -o lo+ -p udp -m udp --sport 5:65535 --dport 0:9 -m comment --comment "rsct timeout \"x\\y\" \'hi" -j CT --timeout "\"x\\y" --zone 5
-A OUTPUT -p udp -m comment --comment "rsct timeout udp-policy1" -j CT --timeout udp-
-A OUTPUT -p udplite -m multiport --dports 5:7 -m multiport --sports 8 -m comment --comment "rsct timeout other" -j CT --timeout p-in
-A OUTPUT -p udp -j CT --zone 5
-A OUTPUT -p udp -m comment --comment "rsct timeout pu" -j ACCEPT
"#;

/// Output of `nft -a list ruleset` of nft 1.0.6 on Linux 6.18, except the two chains in the middle.
pub(crate) const NFT: &str = r#"# Warning: table ip raw is managed by iptables-nft, do not touch!
table ip raw { # handle 1
	chain OUTPUT { # handle 1
		type filter hook output priority raw; policy accept;
		meta l4proto udp counter packets 0 bytes 0 xt target CT # handle 2
	}
}
table inet mine { # handle 2
	ct timeout slow { # handle 2
		protocol tcp
		l3proto ip
		policy = { established : 3, close : 5 }
	}

	set some { # handle 7
		type ipv4_addr
		elements = { 10.0.0.1,
			     10.0.0.2 }
	}

	chain prerouting { # handle 1
		type filter hook prerouting priority filter; policy accept;
		comment "rsct timeout slow"
		tcp dport { 22, 80 } ct timeout set "slow" # handle 3
		ip saddr 1.2.3.4 jump {
			accept # handle 9
		} # handle 8
	}
}
table ip rsct { # handle 3
	ct timeout udp-policy1 { # handle 1
		protocol udp
		l3proto ip
		policy = { unreplied : 3, replied : 300 }
	}

	chain prerouting { # handle 2
		type filter hook prerouting priority -199; policy accept;
		iifname "lo*" ip saddr 10.0.0.0/8 ip daddr 1.2.3.4 udp sport 5-65535 udp dport 0-9 ct timeout set "udp-policy1" comment "rsct timeout udp-policy1" # handle 3
	}

	chain output { # handle 4
		type filter hook output priority -199; policy accept;
		meta l4proto udp ct timeout set "udp-policy1" comment "rsct timeout udp-policy1" # handle 5
		meta l4proto 17 ct timeout set "udp-policy1" comment "manual" # handle 6
	}
}
"#;
