import Secret
import Testing
import Vault

@Suite struct PersonTests {
    @Test func nothingInTheVaultLeadsToSomebodyWhoWasForgotten() async throws {
        try await withTemporaryDirectory { directory in
            let store = SecretStore(
                directory: directory + "/vault", wrapping: LocalMasterKey(Secret([UInt8](repeating: 1, count: 32))))
            let person = try await Person.acting(user: 1000, name: "홍길동", in: store, at: 1)
            let other = try await Person.acting(user: 1001, name: "other", in: store, at: 1)
            let token = try await person.makeToken(in: store, at: 1)
            #expect(try await Person.forget(id: person.id, in: store, at: 2) == true)
            #expect(try await Person.find(id: person.id, in: store) == nil)
            #expect(try await Person.authenticated(id: person.id, token: token, in: store) == nil)
            #expect(try Person.forgotten(in: store) == [person.id])
            #expect(try await Person.all(in: store) == [other])
            #expect(Set(try store.ids()) == ["forgotten-\(person.id)", "person-\(other.id)", "operator-1001"])
            // The same again has nothing left to do, and the same user is somebody new.
            #expect(try await Person.forget(id: person.id, in: store, at: 3) == false)
            #expect(try await Person.acting(user: 1000, name: "홍길동", in: store, at: 4).id != person.id)
            #expect(try await Person.forget(id: "nobody", in: store, at: 3) == nil)
        }
    }
}
