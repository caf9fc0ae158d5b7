package access

import (
	"go/ast"
	"go/parser"
	"go/token"
	"testing"
)

// Who guesses learns nothing by how long the answer takes. A clock can't show
// that in a test that always says the same, so the code does: each place where a
// stranger's text meets a secret compares by what is made for it, and by nothing
// else.
func TestSecretsAreComparedInConstantTime(t *testing.T) {
	for _, c := range []struct{ file, function, by, secret string }{
		{"key.go", "find", "subtle.ConstantTimeCompare", "hash"},
		{"secret.go", "Same", "subtle.ConstantTimeCompare", "x"},
		{"password.go", "check", "Same", "want"},
		{"adobe.go", "login", "Same", "sum"},
		{"../../httpserve/access/signature.go", "parseSigned", "hmac.Equal", "given"},
		{"../../httpserve/access/pass.go", "read", "hmac.Equal", ""},
		{"../../httpserve/access/viewers.go", "Trusts", "Same", "secret"},
		{"../../httpserve/admin/operators.go", "operatorsOnly", "Same", ""},
	} {
		file, err := parser.ParseFile(token.NewFileSet(), c.file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		found, calls := false, false
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Name.Name != c.function {
				continue
			}
			found = true
			ast.Inspect(f.Body, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.CallExpr:
					calls = calls || name(n.Fun) == c.by
				case *ast.BinaryExpr:
					if (n.Op == token.EQL || n.Op == token.NEQ) && c.secret != "" && (name(n.X) == c.secret || name(n.Y) == c.secret) {
						t.Errorf("%s: %s compares %s by %v", c.file, c.function, c.secret, n.Op)
					}
				}
				return true
			})
		}
		if !found || !calls {
			t.Errorf("%s: %s is there: %v, and compares by %s: %v", c.file, c.function, found, c.by, calls)
		}
	}
}

// name is how code names something: x, or x of p.x, but for packages.
func name(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		if p, ok := e.X.(*ast.Ident); ok && (p.Name == "hmac" || p.Name == "subtle") {
			return p.Name + "." + e.Sel.Name
		}
		return e.Sel.Name
	case *ast.CallExpr:
		if len(e.Args) == 1 { // a conversion, such as string(x)
			return name(e.Args[0])
		}
	}
	return ""
}
