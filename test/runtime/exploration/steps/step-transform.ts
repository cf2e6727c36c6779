import ts from "typescript";

/**
 * Turns a source of the runtime into one that runs in single steps: every function becomes a generator that yields
 * before each access to memory, so that two sides can be run in turns, access by access, in one thread. What runs is
 * the real source, not a model of it.
 *
 * - functions and methods become generators; accesses and calls in them go through the `$steps` object;
 * - constructors, accessors, arrow functions and initial values stay as they are and run as one step: what they call is
 *   run to its end at once.
 *
 * Throws for what it cannot turn, so that nothing is left out unnoticed.
 */
export function toStepSource(source: string, fileName: string): string {
  return ts.transpileModule(source, {
    fileName,
    reportDiagnostics: true,
    compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 },
    transformers: { before: [stepTransformer] },
  }).outputText;
}

const viewMethod = /^[gs]et(Uint|Int|BigUint|BigInt|Float)\d+$/;
const bulkMethod = /^(fill|set|copyWithin)$/;
const f = ts.factory;

const stepTransformer: ts.TransformerFactory<ts.SourceFile> = (context) => {
  const fail = (node: ts.Node, what: string): never => {
    const file = ts.getOriginalNode(node).getSourceFile();
    throw new Error(`${file.fileName}: the step transform does not know ${what}: ${node.getText(file)}`);
  };

  const visitIn =
    (stepping: boolean) =>
    (node: ts.Node): ts.Node =>
      visit(node, stepping);
  const children = (node: ts.Node, stepping: boolean): ts.Node => ts.visitEachChild(node, visitIn(stepping), context);
  const expression = (node: ts.Expression, stepping: boolean): ts.Expression =>
    ts.visitNode(node, visitIn(stepping), ts.isExpression);
  const expressions = (nodes: readonly ts.Expression[], stepping: boolean) =>
    nodes.map((node) => expression(node, stepping));

  /** `(yield* $steps.name(...))` */
  const step = (name: string, ...parameters: readonly ts.Expression[]): ts.Expression => {
    const callee = f.createPropertyAccessExpression(f.createIdentifier("$steps"), name);
    const call = f.createCallExpression(callee, undefined, parameters);
    return f.createParenthesizedExpression(f.createYieldExpression(f.createToken(ts.SyntaxKind.AsteriskToken), call));
  };

  function visit(node: ts.Node, stepping: boolean): ts.Node {
    if (ts.isTypeNode(node) && !ts.isExpressionWithTypeArguments(node)) return node;
    if (ts.isMethodDeclaration(node) && node.body !== undefined && ts.isClassLike(node.parent)) {
      return f.updateMethodDeclaration(
        node,
        node.modifiers,
        node.asteriskToken === undefined ? f.createToken(ts.SyntaxKind.AsteriskToken) : fail(node, "generators"),
        node.name,
        node.questionToken,
        node.typeParameters,
        // An initial value of a parameter cannot yield.
        node.parameters.map((parameter) => ts.visitEachChild(parameter, visitIn(false), context)),
        undefined,
        ts.visitNode(node.body, visitIn(true), ts.isBlock),
      );
    }
    if (ts.isFunctionDeclaration(node) && node.body !== undefined) {
      return f.updateFunctionDeclaration(
        node,
        node.modifiers,
        f.createToken(ts.SyntaxKind.AsteriskToken),
        node.name,
        node.typeParameters,
        node.parameters.map((parameter) => ts.visitEachChild(parameter, visitIn(false), context)),
        undefined,
        ts.visitNode(node.body, visitIn(true), ts.isBlock),
      );
    }
    if (ts.isFunctionLike(node) || ts.isPropertyDeclaration(node)) return children(node, false);
    if (ts.isClassDeclaration(node)) {
      const members = ts.visitNodes(node.members, visitIn(false), ts.isClassElement);
      return f.updateClassDeclaration(node, node.modifiers, node.name, node.typeParameters, node.heritageClauses, [
        ...members,
        privateFields(node),
      ]);
    }
    if (ts.isCallExpression(node)) return visitCall(node, stepping);
    if (!stepping) return children(node, false);

    if (ts.isElementAccessExpression(node)) {
      return step("read", expression(node.expression, true), expression(node.argumentExpression, true));
    }
    if (ts.isBinaryExpression(node) && ts.isElementAccessExpression(node.left) && isAssignment(node)) {
      const { expression: array, argumentExpression: index } = node.left;
      const parameters = expressions([array, index, node.right], true);
      if (node.operatorToken.kind === ts.SyntaxKind.EqualsToken) return step("write", ...parameters);
      const operator = ts.tokenToString(node.operatorToken.kind) ?? fail(node, "this operator");
      return step("update", ...parameters, f.createStringLiteral(operator));
    }
    if (
      (ts.isPrefixUnaryExpression(node) || ts.isPostfixUnaryExpression(node)) &&
      ts.isElementAccessExpression(node.operand) &&
      (node.operator === ts.SyntaxKind.PlusPlusToken || node.operator === ts.SyntaxKind.MinusMinusToken)
    ) {
      return fail(node, "++ and -- of an element");
    }
    return children(node, true);
  }

  function visitCall(node: ts.CallExpression, stepping: boolean): ts.Node {
    const callee = node.expression;
    if (callee.kind === ts.SyntaxKind.SuperKeyword) return children(node, stepping);
    const parameters = expressions(node.arguments, stepping);
    if (stepping && ts.isPropertyAccessExpression(callee)) {
      const name = callee.name.text;
      const literal = f.createStringLiteral(name);
      if (ts.isIdentifier(callee.expression) && callee.expression.text === "Atomics") {
        return step("atomic", literal, ...parameters);
      }
      const object = expression(callee.expression, true);
      if (viewMethod.test(name)) return step("view", object, literal, ...parameters);
      if (bulkMethod.test(name) && callee.expression.kind !== ts.SyntaxKind.SuperKeyword) {
        return step("bulk", object, literal, ...parameters);
      }
    }
    const call = children(node, stepping);
    if (!ts.isExpression(call)) return fail(node, "this call");
    if (stepping) return step("run", call);
    return f.createCallExpression(
      f.createPropertyAccessExpression(f.createIdentifier("$steps"), "runAtOnce"),
      undefined,
      [call],
    );
  }

  return (file) => ts.visitEachChild(file, visitIn(false), context);
};

/** `$fields()`: the values of the private fields, so that the state of an object can be told from outside. */
function privateFields(node: ts.ClassDeclaration): ts.MethodDeclaration {
  const values = node.members.flatMap((member) =>
    ts.isPropertyDeclaration(member) && ts.isPrivateIdentifier(member.name)
      ? [f.createPropertyAccessExpression(f.createThis(), member.name)]
      : [],
  );
  // Of an object of a derived class, those of its base as well.
  const isDerived = node.heritageClauses?.some(({ token }) => token === ts.SyntaxKind.ExtendsKeyword) === true;
  const base = f.createPropertyAccessExpression(f.createSuper(), "$fields");
  const inherited = isDerived ? [f.createSpreadElement(f.createCallExpression(base, undefined, []))] : [];
  const body = f.createReturnStatement(f.createArrayLiteralExpression([...values, ...inherited]));
  return f.createMethodDeclaration(
    undefined,
    undefined,
    "$fields",
    undefined,
    undefined,
    [],
    undefined,
    f.createBlock([body]),
  );
}

function isAssignment(node: ts.BinaryExpression): boolean {
  const { kind } = node.operatorToken;
  return kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment;
}
