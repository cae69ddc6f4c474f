import psycopg
import pytest
import redis

from tests.services import MissingProgram, PostgresServer, RedisServer, program


def test_a_missing_program_names_the_package_to_install():
    with pytest.raises(MissingProgram, match="apt-get install redis-server"):
        program("no-such-program", "redis-server")


def test_databases_of_two_tests_are_different(postgres_server: PostgresServer, fresh_postgres_url: str):
    other = postgres_server.new_database()
    assert other != fresh_postgres_url
    with psycopg.connect(other.replace("+psycopg", "")) as connection:
        connection.execute("CREATE TABLE mine (n int)")
    with psycopg.connect(fresh_postgres_url.replace("+psycopg", "")) as connection:
        assert connection.execute("SELECT to_regclass('mine')").fetchone() == (None,)


def test_redis_listens_on_loopback_only_and_comes_back_on_the_same_port():
    with RedisServer() as server, redis.Redis.from_url(server.url) as client:
        assert client.config_get("bind") == {"bind": "127.0.0.1"}
        client.set("key", "value")
        server.kill()
        server.start()
        assert client.get("key") is None
