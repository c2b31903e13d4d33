def test_it(server):
    print(server.output, server.log)
    assert server.keys
