use super::server::AUTHORITY;
use super::*;

#[tokio::test]
async fn what_the_address_says_of_tls_holds() {
    let server = Server::start_with_tls();
    let plain = server.address("postgres");
    let named = plain.replace("127.0.0.1", "localhost");
    let encrypted = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
    let ask = async |address: String| {
        let pool = PgPoolOptions::new().connect_with(Address::parse(&address).unwrap().planned()).await?;
        sqlx::query_scalar::<_, bool>(encrypted).fetch_one(&pool).await
    };
    assert!(ask(format!("{named}?sslmode=require")).await.unwrap());
    assert!(ask(format!("{named}?sslmode=verify-full&sslrootcert={AUTHORITY}")).await.unwrap());
    // Another name, an authority that nobody knows, and no encryption at all.
    for refused in [
        format!("{plain}?sslmode=verify-full&sslrootcert={AUTHORITY}"),
        format!("{named}?sslmode=verify-full"),
        format!("{named}?sslmode=disable"),
    ] {
        assert!(ask(refused.clone()).await.is_err(), "{refused}");
    }
}
