# Everything leaves through the tenant's own proxy here, and nothing goes round it or round the policy.


@attack
def an_allowed_name():
    return https("allowed.test", request("allowed.test", "/proxied"))


@attack
def a_name_that_is_not_allowed():
    return tls(EVIL, hello("proxied.evil.test"))


@attack
def an_address_that_is_not_allowed():
    return tcp(EVIL, 7001)


@attack
def the_metadata_service():
    return tcp("169.254.169.254", 7002)


@attack
def the_proxy_itself():
    return http("203.0.113.80", "CONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test:443\r\n\r\n", 3128)


@attack
def a_name_that_the_proxy_sends_elsewhere():
    return tls("moved.wild.test", hello("moved.wild.test"))


@attack
def a_request_that_the_proxy_sends_elsewhere():
    return http("moved.wild.test", request("moved.wild.test", "/moved"))
